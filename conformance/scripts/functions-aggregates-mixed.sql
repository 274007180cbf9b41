-- Newer aggregates beside each other, without a window.

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT who, LISTAGG(page), COLLECT(page), ARRAY_AGG(DISTINCT score), FIRST_VALUE(page), LAST_VALUE(score), VAR_POP(score), PERCENTILE(score, 0.5), JSON_ARRAYAGG(score) FROM visits GROUP BY who;
