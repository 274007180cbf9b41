-- compare: watermark
-- HOP of doubles: the parts of a window are added from the newest to the oldest, which the last digits show.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), who STRING, total DOUBLE, mean DOUBLE, low DOUBLE, high DOUBLE) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, who, SUM(cost), AVG(cost), MIN(cost), MAX(cost)
FROM TABLE(HOP(TABLE visits, DESCRIPTOR(`at`), INTERVAL '4' SECOND, INTERVAL '20' SECOND))
GROUP BY window_start, window_end, who;
