-- TUMBLE: different values alone, with and without a condition.
-- compare: watermark

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT who, COUNT(DISTINCT page), COUNT(DISTINCT page) FILTER (WHERE score > 1), MIN(DISTINCT score), COLLECT(DISTINCT page), AVG(DISTINCT score), VAR_POP(DISTINCT score), window_start, window_end FROM TUMBLE(TABLE visits, DESCRIPTOR(`at`), INTERVAL '10' SECOND) GROUP BY who, window_start, window_end;
