-- compare: watermark
-- GROUP BY TUMBLE over the TUMBLE_ROWTIME of another.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT TUMBLE_START(rt, INTERVAL '20' SECOND), SUM(n)
FROM (SELECT TUMBLE_ROWTIME(`at`, INTERVAL '10' SECOND) AS rt, COUNT(*) AS n FROM visits GROUP BY TUMBLE(`at`, INTERVAL '10' SECOND))
GROUP BY TUMBLE(rt, INTERVAL '20' SECOND);
