-- compare: watermark
-- A filter on window_start between HOP and GROUP BY: the aggregate goes by the window that the rows carry.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), who STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, who, COUNT(*)
FROM (SELECT window_start, window_end, who, score FROM TABLE(HOP(TABLE visits, DESCRIPTOR(`at`), INTERVAL '5' SECOND, INTERVAL '10' SECOND)) WHERE window_start >= TIMESTAMP '2024-03-01 10:00:00')
GROUP BY window_start, window_end, who;
