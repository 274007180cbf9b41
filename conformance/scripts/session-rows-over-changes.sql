-- compare: watermark
-- SESSION as a table function over a changelog: rows leave with their kinds.

CREATE TABLE visits (
  who STRING, page STRING, score INT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visit-changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (who STRING, score INT, s TIMESTAMP(3), e TIMESTAMP(3)) WITH ('connector' = 'print');
INSERT INTO printed
SELECT who, score, window_start, window_end
FROM TABLE(SESSION(TABLE visits PARTITION BY who, DESCRIPTOR(`at`), INTERVAL '5' SECOND));
