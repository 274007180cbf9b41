-- compare: watermark
-- GROUP BY SESSION with a key that is an expression.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), t TIMESTAMP(3), who STRING, n BIGINT, total INT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT SESSION_START(`at`, INTERVAL '5' SECOND), SESSION_END(`at`, INTERVAL '5' SECOND), SESSION_ROWTIME(`at`, INTERVAL '5' SECOND), UPPER(who), COUNT(*), SUM(score)
FROM visits
GROUP BY SESSION(`at`, INTERVAL '5' SECOND), UPPER(who);
