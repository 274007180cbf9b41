-- A HOP window is put together from parts, which FIRST_VALUE cannot be.

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT who, FIRST_VALUE(page) FROM HOP(TABLE visits, DESCRIPTOR(`at`), INTERVAL '5' SECOND, INTERVAL '20' SECOND) GROUP BY who, window_start, window_end;
