-- compare: watermark
-- GROUP BY HOP over a changelog.

CREATE TABLE visits (
  who STRING, page STRING, score INT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visit-changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (s TIMESTAMP(3), n BIGINT, total INT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT HOP_START(`at`, INTERVAL '5' SECOND, INTERVAL '10' SECOND), COUNT(*), SUM(score)
FROM visits
GROUP BY HOP(`at`, INTERVAL '5' SECOND, INTERVAL '10' SECOND);
