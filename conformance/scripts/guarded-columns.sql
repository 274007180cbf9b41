-- A column of a subquery fails where it is needed alone, also when it is read twice.

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT CASE WHEN score > 100 THEN b ELSE 0 END FROM (SELECT score, CAST(page AS INT) AS b FROM visits);
SELECT CASE WHEN score > 100 THEN b ELSE 0 END, CASE WHEN score > 100 THEN b + 1 ELSE 0 END FROM (SELECT score, CAST(page AS INT) AS b FROM visits);
SELECT b, b + 1 FROM (SELECT score, CAST(page AS INT) AS b FROM visits) WHERE score > 100;
SELECT MAX(c) FROM (SELECT score AS c, CAST(page AS INT) AS d, who FROM visits) GROUP BY who, CASE WHEN c > 100 THEN d ELSE 1 END;
