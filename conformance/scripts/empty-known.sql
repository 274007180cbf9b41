-- An input that is known to be empty: an aggregate without keys has its row at once, others have none.

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT COUNT(*), SUM(score), MIN(page), MAX(price), AVG(cost) FROM visits WHERE FALSE;
SELECT COUNT(n), MAX(n) FROM (SELECT who, COUNT(*) AS n FROM visits WHERE 1 > 2 GROUP BY who) WHERE n > 0;
SELECT who, COUNT(*) FROM visits WHERE FALSE GROUP BY who;
SELECT COUNT(*) FROM (SELECT who FROM visits WHERE FALSE UNION ALL SELECT page FROM visits WHERE NULL IS NOT NULL);
SELECT COUNT(*) + 1, SUM(score) FILTER (WHERE score > 1) FROM (SELECT score FROM visits LIMIT 0) WHERE score IS NULL AND FALSE;
SELECT LISTAGG(page) FROM visits WHERE FALSE;
SELECT COUNT(*) FROM visits WHERE FALSE HAVING COUNT(*) > 0;
SELECT COUNT(*) FROM visits WHERE CASE WHEN score > 1 THEN FALSE ELSE NULL END;
SELECT COUNT(*) FROM visits WHERE COALESCE(FALSE, score > 1) AND score > 2;
SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM visits) WHERE n IS NULL;
SELECT COUNT(*), MAX(x) FROM visits CROSS JOIN UNNEST(ARRAY[score, 1]) AS u (x) WHERE FALSE;
SELECT COUNT(x) FROM (SELECT score FROM visits WHERE FALSE) AS v CROSS JOIN UNNEST(ARRAY[score]) AS u (x);
SELECT COUNT(*) FROM (SELECT x + 1 AS y FROM visits CROSS JOIN UNNEST(ARRAY[score]) AS u (x)) WHERE FALSE;
