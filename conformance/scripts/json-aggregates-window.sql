-- JSON aggregates of a window, and JSON_OBJECTAGG put together from parts.
-- compare: watermark

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT who, JSON_OBJECTAGG(KEY CAST(score AS STRING) VALUE page), JSON_ARRAYAGG(page) FROM TUMBLE(TABLE visits, DESCRIPTOR(`at`), INTERVAL '10' SECOND) WHERE score IS NOT NULL GROUP BY who, window_start, window_end;
SELECT who, JSON_OBJECTAGG(KEY CAST(score AS STRING) VALUE page) FROM HOP(TABLE visits, DESCRIPTOR(`at`), INTERVAL '5' SECOND, INTERVAL '10' SECOND) WHERE score IS NOT NULL GROUP BY who, window_start, window_end;
