-- The older form of HOP is put together from parts, too.

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT who, FIRST_VALUE(page) FROM visits GROUP BY who, HOP(`at`, INTERVAL '10' SECOND, INTERVAL '20' SECOND);
