-- compare: watermark
-- SESSION as a table function without a partition, over rows out of order.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '12' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (who STRING, `at` TIMESTAMP(3), s TIMESTAMP(3), e TIMESTAMP(3), t TIMESTAMP(3)) WITH ('connector' = 'print');
INSERT INTO printed
SELECT who, CAST(`at` AS TIMESTAMP(3)), window_start, window_end, window_time
FROM TABLE(SESSION(TABLE visits, DESCRIPTOR(`at`), INTERVAL '3' SECOND));
