-- compare: watermark
-- A window over rows told apart by their key: what takes a row back has that row's time, so it is late when the window has fired.

SET 'table.exec.source.cdc-events-duplicate' = 'true';
CREATE TABLE scores (
  id INT, score INT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at`, PRIMARY KEY (id) NOT ENFORCED
) WITH ('connector' = 'filesystem', 'path' = 'data/scores-late.json', 'format' = 'debezium-json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), n BIGINT, total INT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, COUNT(*), SUM(score)
FROM TABLE(TUMBLE(TABLE scores, DESCRIPTOR(`at`), INTERVAL '5' SECOND))
GROUP BY window_start, window_end;
