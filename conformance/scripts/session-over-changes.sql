-- compare: watermark
-- SESSION over a changelog: a retracted row still makes its session as long as it was.

CREATE TABLE visits (
  who STRING, page STRING, score INT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visit-changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), n BIGINT, total INT, most INT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, COUNT(*), SUM(score), MAX(score)
FROM TABLE(SESSION(TABLE visits, DESCRIPTOR(`at`), INTERVAL '5' SECOND))
GROUP BY window_start, window_end;
