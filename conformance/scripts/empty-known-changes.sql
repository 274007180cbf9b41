-- The same over changes, windows and set operations.

CREATE TABLE changes (who STRING, page STRING, score INT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visit-changes.json', 'format' = 'debezium-json');
SELECT COUNT(DISTINCT page), MAX(score) FROM changes WHERE FALSE;
SELECT COUNT(*) FROM (SELECT who, COUNT(*) FROM TUMBLE(TABLE changes, DESCRIPTOR(`at`), INTERVAL '10' SECOND) WHERE FALSE GROUP BY who, window_start, window_end);
SELECT COUNT(*) FROM (SELECT who FROM changes WHERE FALSE INTERSECT SELECT who FROM changes);
SELECT who FROM changes WHERE FALSE EXCEPT SELECT who FROM changes;
