-- A failing expression of a column that nobody reads fails no row.
-- compare: multiset (a union has no order)

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT c FROM (SELECT CAST(page AS INT) AS c0, score AS c FROM visits);
SELECT a FROM (SELECT score AS a, CASE WHEN b > 0 THEN 1 ELSE 2 END AS z FROM (SELECT score, CAST(page AS INT) AS b FROM visits));
SELECT c FROM (SELECT CAST(page AS INT) AS c0, score AS c FROM visits UNION ALL SELECT CAST('1' AS INT), 2);
SELECT c FROM (SELECT CAST(page AS INT) AS c0, score AS c, `at` FROM visits) ORDER BY `at`;
