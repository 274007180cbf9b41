-- PERCENTILE over updates.

CREATE TABLE changes (who STRING, page STRING, score INT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visit-changes.json', 'format' = 'debezium-json');
SELECT who, PERCENTILE(score, 0.5), PERCENTILE(score, ARRAY[0.0, 0.3], 3), PERCENTILE(DISTINCT score, 0.5) FROM changes GROUP BY who;
