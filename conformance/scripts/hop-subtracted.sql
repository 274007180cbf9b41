-- compare: watermark
-- HOP of counts and integer sums alone, which add the newest slice and take the oldest away; four slices a window.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), who STRING, n BIGINT, known BIGINT, total INT, mean INT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, who, COUNT(*), COUNT(score), SUM(score), AVG(score)
FROM TABLE(HOP(TABLE visits, DESCRIPTOR(`at`), INTERVAL '3' SECOND, INTERVAL '12' SECOND))
GROUP BY window_start, window_end, who;
