-- compare: watermark
-- At the default interval of 200 ms a wall clock takes part in the watermark; over rows in order the result is the
-- same.

SET 'pipeline.auto-watermark-interval' = '200 ms';
CREATE TABLE clicks (ms BIGINT, `at` AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR `at` AS `at`)
WITH ('connector' = 'filesystem', 'path' = 'data/summer-time.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed SELECT window_start, COUNT(*)
FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(`at`), INTERVAL '1' HOUR)) GROUP BY window_start, window_end;
