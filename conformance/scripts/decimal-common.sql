-- Decimals of many digits become one type: digits after the point give way to those before it.

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT who, COALESCE(SUM(price) * 1.50, SUM(price)), CASE WHEN COUNT(*) > 1 THEN SUM(price) * 1.50 ELSE SUM(price) END, GREATEST(SUM(price) * 1.50, SUM(price)), IF(COUNT(*) > 2, SUM(price), SUM(price) * 0.001) FROM visits GROUP BY who;
SELECT CAST(1 AS DECIMAL(38, 0)) AS d UNION ALL SELECT CAST(1.25 AS DECIMAL(10, 2));
SELECT ARRAY[CAST(1 AS DECIMAL(38, 10)), CAST(2 AS DECIMAL(20, 18))];
