-- TUMBLE: variances, which are put together from parts.
-- compare: watermark

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT who, VAR_POP(cost), STDDEV_SAMP(score), VAR_SAMP(price), STDDEV_POP(score), window_start, window_end FROM TUMBLE(TABLE visits, DESCRIPTOR(`at`), INTERVAL '10' SECOND) GROUP BY who, window_start, window_end;
