-- CUMULATE needs a size that is a multiple of the step.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT window_start, window_end, who FROM TABLE(CUMULATE(TABLE visits, DESCRIPTOR(`at`), INTERVAL '6' SECOND, INTERVAL '20' SECOND));
