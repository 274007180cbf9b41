-- compare: watermark
-- CUMULATE of a day in local time.

SET 'table.local-time-zone' = 'Asia/Kolkata';
CREATE TABLE clicks (
  `user` STRING, ms BIGINT,
  `at` AS TO_TIMESTAMP_LTZ(ms, 3),
  WATERMARK FOR `at` AS `at` - INTERVAL '3' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/clicks.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), t TIMESTAMP_LTZ(3), n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, window_time, COUNT(*)
FROM TABLE(CUMULATE(TABLE clicks, DESCRIPTOR(`at`), INTERVAL '6' HOUR, INTERVAL '1' DAY))
GROUP BY window_start, window_end, window_time;
