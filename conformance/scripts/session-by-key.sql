-- compare: watermark
-- SESSION by a key: every aggregate; a late row; sessions whose rows touch.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), who STRING, n BIGINT, known BIGINT, total INT, mean INT, low DECIMAL(10, 2), high DECIMAL(10, 2), paid DECIMAL(38, 2), last_page STRING) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, who, COUNT(*), COUNT(score), SUM(score), AVG(score), MIN(price), MAX(price), SUM(price), MAX(page)
FROM TABLE(SESSION(TABLE visits PARTITION BY who, DESCRIPTOR(`at`), INTERVAL '5' SECOND))
GROUP BY window_start, window_end, who;
