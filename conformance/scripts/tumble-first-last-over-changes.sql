-- FIRST_VALUE and LAST_VALUE of a window over updates.
-- compare: watermark

CREATE TABLE changes (who STRING, page STRING, score INT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visit-changes.json', 'format' = 'debezium-json');
SELECT who, FIRST_VALUE(page), LAST_VALUE(score), window_start FROM TUMBLE(TABLE changes, DESCRIPTOR(`at`), INTERVAL '10' SECOND) GROUP BY who, window_start, window_end;
