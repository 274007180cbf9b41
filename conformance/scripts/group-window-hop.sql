-- compare: watermark
-- GROUP BY HOP with a key, a filter and HAVING over a bound.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), t TIMESTAMP(3), who STRING, n BIGINT, most STRING) WITH ('connector' = 'print');
INSERT INTO printed
SELECT HOP_START(`at`, INTERVAL '5' SECOND, INTERVAL '10' SECOND), HOP_END(`at`, INTERVAL '5' SECOND, INTERVAL '10' SECOND), HOP_ROWTIME(`at`, INTERVAL '5' SECOND, INTERVAL '10' SECOND), who, COUNT(*), MAX(page)
FROM visits
WHERE score IS NOT NULL
GROUP BY HOP(`at`, INTERVAL '5' SECOND, INTERVAL '10' SECOND), who
HAVING HOP_END(`at`, INTERVAL '5' SECOND, INTERVAL '10' SECOND) < TIMESTAMP '2024-03-01 10:01:00';
