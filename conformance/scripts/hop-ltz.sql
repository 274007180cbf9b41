-- compare: watermark
-- HOP over a TIMESTAMP_LTZ(3): bounds are local, window_time is an instant.

SET 'table.local-time-zone' = 'Asia/Kolkata';
CREATE TABLE clicks (
  `user` STRING, ms BIGINT,
  `at` AS TO_TIMESTAMP_LTZ(ms, 3),
  WATERMARK FOR `at` AS `at` - INTERVAL '3' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/clicks.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), t TIMESTAMP_LTZ(3), n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, window_time, COUNT(*)
FROM TABLE(HOP(TABLE clicks, DESCRIPTOR(`at`), INTERVAL '5' SECOND, INTERVAL '10' SECOND))
GROUP BY window_start, window_end, window_time;
