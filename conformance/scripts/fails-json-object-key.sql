-- A key that comes again fails the job.
-- compare: end (the rows before it are collected or not)

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT who, JSON_OBJECTAGG(KEY page VALUE score) FROM visits WHERE page IS NOT NULL GROUP BY who;
