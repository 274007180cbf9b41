-- A CUMULATE window is put together from parts, which JSON_ARRAYAGG cannot be.

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT who, JSON_ARRAYAGG(page) FROM CUMULATE(TABLE visits, DESCRIPTOR(`at`), INTERVAL '10' SECOND, INTERVAL '30' SECOND) GROUP BY who, window_start, window_end;
