-- Lists and different values in the older form of SESSION.
-- compare: watermark

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT who, LISTAGG(page), COLLECT(page), ARRAY_AGG(score), COUNT(DISTINCT page), LISTAGG(DISTINCT page), SESSION_START(`at`, INTERVAL '6' SECOND) FROM visits GROUP BY who, SESSION(`at`, INTERVAL '6' SECOND);
