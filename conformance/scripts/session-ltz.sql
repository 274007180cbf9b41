-- compare: watermark
-- SESSION over a TIMESTAMP_LTZ(3) in local time.

SET 'table.local-time-zone' = 'Asia/Kolkata';
CREATE TABLE clicks (
  `user` STRING, ms BIGINT,
  `at` AS TO_TIMESTAMP_LTZ(ms, 3),
  WATERMARK FOR `at` AS `at` - INTERVAL '3' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/clicks.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), t TIMESTAMP_LTZ(3), `user` STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, window_time, `user`, COUNT(*)
FROM TABLE(SESSION(TABLE clicks PARTITION BY `user`, DESCRIPTOR(`at`), INTERVAL '5' SECOND))
GROUP BY window_start, window_end, window_time, `user`;
