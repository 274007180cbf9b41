-- The older form of HOP puts its parts together from the oldest on.
-- compare: watermark

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT who, LISTAGG(page), COLLECT(page), ARRAY_AGG(score), COUNT(DISTINCT page), HOP_START(`at`, INTERVAL '10' SECOND, INTERVAL '20' SECOND) FROM visits GROUP BY who, HOP(`at`, INTERVAL '10' SECOND, INTERVAL '20' SECOND);
