-- compare: watermark
-- HAVING over HOP, and expressions over the window's bounds.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (t STRING, seconds INT, who STRING) WITH ('connector' = 'print');
INSERT INTO printed
SELECT DATE_FORMAT(window_start, 'HH:mm:ss') || ' ' || CAST(COUNT(*) AS STRING), TIMESTAMPDIFF(SECOND, window_start, window_end), who
FROM TABLE(HOP(TABLE visits, DESCRIPTOR(`at`), INTERVAL '5' SECOND, INTERVAL '10' SECOND))
GROUP BY window_start, window_end, who
HAVING COUNT(*) > 1 OR who IS NULL;
