-- Every detail of EXPLAIN, alone and together; of changes into files in a format that takes them.

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE files (who STRING, n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'data/nowhere', 'format' = 'debezium-json');
EXPLAIN ESTIMATED_COST SELECT who, COUNT(*) FROM visits WHERE score > 1 GROUP BY who;
EXPLAIN PLAN_ADVICE SELECT who, COUNT(*) FROM visits GROUP BY who;
EXPLAIN JSON_EXECUTION_PLAN INSERT INTO files SELECT who, COUNT(*) FROM visits GROUP BY who;
EXPLAIN CHANGELOG_MODE, ESTIMATED_COST, PLAN_ADVICE, JSON_EXECUTION_PLAN SELECT who FROM visits LIMIT 3;
