-- Nor over updates.

CREATE TABLE changes (who STRING, page STRING, score INT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visit-changes.json', 'format' = 'debezium-json');
SELECT who, LAST_VALUE(page) FROM HOP(TABLE changes, DESCRIPTOR(`at`), INTERVAL '5' SECOND, INTERVAL '20' SECOND) GROUP BY who, window_start, window_end;
