-- SESSION takes no offset.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT window_start, window_end, COUNT(*) FROM TABLE(SESSION(TABLE visits, DESCRIPTOR(`at`), INTERVAL '5' SECOND, INTERVAL '5' SECOND)) GROUP BY window_start, window_end;
