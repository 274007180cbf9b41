-- SESSION: each aggregate over the rows of its own condition.
-- compare: watermark

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT who, COUNT(*) FILTER (WHERE score > 2), LISTAGG(page) FILTER (WHERE score > 2), ARRAY_AGG(score) FILTER (WHERE page = 'a'), MAX(price) FILTER (WHERE score > 1), window_start, window_end FROM SESSION(TABLE visits PARTITION BY who, DESCRIPTOR(`at`), INTERVAL '6' SECOND) GROUP BY who, window_start, window_end;
