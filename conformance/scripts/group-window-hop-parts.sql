-- compare: watermark
-- GROUP BY HOP takes a size that is no multiple of the slide.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), n BIGINT, total INT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT HOP_START(`at`, INTERVAL '4' SECOND, INTERVAL '10' SECOND), COUNT(*), SUM(score)
FROM visits
GROUP BY HOP(`at`, INTERVAL '4' SECOND, INTERVAL '10' SECOND);
