-- compare: watermark
-- A window over a computed TIMESTAMP_LTZ(3) of epoch milliseconds: window bounds are local times of
-- table.local-time-zone.

SET 'table.local-time-zone' = 'Asia/Kolkata';
CREATE TABLE clicks (
  `user` STRING, ms BIGINT,
  `at` AS TO_TIMESTAMP_LTZ(ms, 3),
  WATERMARK FOR `at` AS `at` - INTERVAL '3' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/clicks.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), `user` STRING, n BIGINT, last_at TIMESTAMP_LTZ(3)) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, `user`, COUNT(*), MAX(`at`)
FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(`at`), INTERVAL '5' SECOND))
GROUP BY window_start, window_end, `user`;
