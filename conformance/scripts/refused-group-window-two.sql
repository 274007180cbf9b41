-- GROUP BY makes one window.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT COUNT(*) FROM visits GROUP BY TUMBLE(`at`, INTERVAL '10' SECOND), TUMBLE(`at`, INTERVAL '5' SECOND);
