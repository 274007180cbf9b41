-- compare: watermark
-- TUMBLE by a key over a changelog; a retraction of a row whose window has fired is late.

CREATE TABLE visits (
  who STRING, page STRING, score INT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visit-changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), who STRING, n BIGINT, total INT, most INT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, who, COUNT(*), SUM(score), MAX(score)
FROM TABLE(TUMBLE(TABLE visits, DESCRIPTOR(`at`), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, who;
