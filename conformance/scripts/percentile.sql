-- PERCENTILE of each kind of number, one and several, with and without a frequency.

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT who, PERCENTILE(score, 0.5), PERCENTILE(cost, 0.25), PERCENTILE(price, 0.9), PERCENTILE(score, ARRAY[0.1, 0.5, 1.0]) FROM visits GROUP BY who;
SELECT who, PERCENTILE(score, 0.3, 2), PERCENTILE(score, ARRAY[0.2, 0.9], score), PERCENTILE(score, 0.5, CAST(cost AS INT)), PERCENTILE(score, 1), PERCENTILE(score, 0) FROM visits GROUP BY who;
SELECT PERCENTILE(score, 0.5) FILTER (WHERE score > 3), PERCENTILE(CAST(score AS TINYINT), 0.75), PERCENTILE(CAST(cost AS FLOAT), 0.5), PERCENTILE(CAST(score AS BIGINT), 0.5, CAST(NULL AS INT)) FROM visits;
