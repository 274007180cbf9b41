-- compare: watermark
-- SESSION without a partition whose rows come out of order: two sessions become one.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '30' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), n BIGINT, least INT, most INT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, COUNT(*), MIN(score), MAX(score)
FROM TABLE(SESSION(TABLE visits, DESCRIPTOR(`at`), INTERVAL '1' SECOND))
GROUP BY window_start, window_end;
