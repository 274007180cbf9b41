-- compare: watermark
-- SESSION as a table function: a row is taken back after its session has fired. Where a session is open that its time
-- touches the retraction leaves with that one, else it is late.

CREATE TABLE visits (
  who STRING, page STRING, score INT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at`
) WITH ('connector' = 'filesystem', 'path' = 'data/visit-late-changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (who STRING, score INT, s TIMESTAMP(3), e TIMESTAMP(3)) WITH ('connector' = 'print');
INSERT INTO printed
SELECT who, score, window_start, window_end
FROM TABLE(SESSION(TABLE visits PARTITION BY who, DESCRIPTOR(`at`), INTERVAL '10' SECOND));
