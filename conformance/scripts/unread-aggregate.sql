-- An aggregate that nobody reads tells nothing.

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT who, mn FROM (SELECT who, SUM(score) AS s, MIN(score) AS mn FROM visits GROUP BY who);
SELECT mn FROM (SELECT who, COUNT(DISTINCT page) AS n, MIN(score) AS mn FROM visits GROUP BY who) WHERE mn > 1;
