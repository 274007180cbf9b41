-- JSON aggregates over updates.

CREATE TABLE changes (who STRING, page STRING, score INT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visit-changes.json', 'format' = 'debezium-json');
SELECT who, JSON_OBJECTAGG(KEY page VALUE score), JSON_ARRAYAGG(score) FROM changes GROUP BY who;
