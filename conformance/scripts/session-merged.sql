-- compare: watermark
-- A watermark far behind lets rows out of order join two sessions, and begin one earlier.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '30' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), who STRING, n BIGINT, total INT, last_page STRING) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, who, COUNT(*), SUM(score), MAX(page)
FROM TABLE(SESSION(TABLE visits PARTITION BY who, DESCRIPTOR(`at`), INTERVAL '4' SECOND))
GROUP BY window_start, window_end, who;
