-- compare: watermark
-- window_time is a time attribute: CURRENT_WATERMARK follows the fired windows.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (t TIMESTAMP(3), n BIGINT, w TIMESTAMP(3)) WITH ('connector' = 'print');
INSERT INTO printed
SELECT rt, n, CURRENT_WATERMARK(rt)
FROM (SELECT window_time AS rt, COUNT(*) AS n FROM TABLE(HOP(TABLE visits, DESCRIPTOR(`at`), INTERVAL '5' SECOND, INTERVAL '10' SECOND)) GROUP BY window_start, window_end, window_time);
