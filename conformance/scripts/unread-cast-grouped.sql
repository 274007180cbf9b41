-- Nor below an aggregate.

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT who, MAX(c) FROM (SELECT who, CAST(page AS INT) AS c0, COALESCE(CAST(page AS INT), score) AS c1, score AS c FROM visits) GROUP BY who;
SELECT COUNT(*) FROM (SELECT CAST(page AS INT) AS c0, score AS c FROM visits);
