-- A sink gets one time attribute at most: here the row's own and window_time would be two.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (who STRING, `at` TIMESTAMP(3), s TIMESTAMP(3), e TIMESTAMP(3), t TIMESTAMP(3)) WITH ('connector' = 'print');
INSERT INTO printed
SELECT who, `at`, window_start, window_end, window_time
FROM TABLE(CUMULATE(TABLE visits, DESCRIPTOR(`at`), INTERVAL '5' SECOND, INTERVAL '20' SECOND));
