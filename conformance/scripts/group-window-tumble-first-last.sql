-- FIRST_VALUE and LAST_VALUE in the older form.
-- compare: watermark

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT who, FIRST_VALUE(page), LAST_VALUE(score), TUMBLE_START(`at`, INTERVAL '10' SECOND) FROM visits GROUP BY who, TUMBLE(`at`, INTERVAL '10' SECOND);
