-- compare: watermark
-- SESSION of one partition grouped by another key is no window aggregate: a changelog after each session.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), who STRING, n BIGINT, total INT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, who, COUNT(*), SUM(score)
FROM TABLE(SESSION(TABLE visits, DESCRIPTOR(`at`), INTERVAL '5' SECOND))
GROUP BY window_start, window_end, who;
