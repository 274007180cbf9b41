-- compare: watermark
-- GROUP BY TUMBLE with its auxiliary functions and a key.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), t TIMESTAMP(3), who STRING, n BIGINT, total INT, low DECIMAL(10, 2)) WITH ('connector' = 'print');
INSERT INTO printed
SELECT TUMBLE_START(`at`, INTERVAL '10' SECOND), TUMBLE_END(`at`, INTERVAL '10' SECOND), TUMBLE_ROWTIME(`at`, INTERVAL '10' SECOND), who, COUNT(*), SUM(score), MIN(price)
FROM visits
GROUP BY TUMBLE(`at`, INTERVAL '10' SECOND), who;
