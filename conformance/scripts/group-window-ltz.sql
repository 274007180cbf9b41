-- compare: watermark
-- GROUP BY TUMBLE over a TIMESTAMP_LTZ(3): bounds are local.

SET 'table.local-time-zone' = 'Asia/Kolkata';
CREATE TABLE clicks (
  `user` STRING, ms BIGINT,
  `at` AS TO_TIMESTAMP_LTZ(ms, 3),
  WATERMARK FOR `at` AS `at` - INTERVAL '3' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/clicks.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT TUMBLE_START(`at`, INTERVAL '5' SECOND), TUMBLE_END(`at`, INTERVAL '5' SECOND), COUNT(*)
FROM clicks
GROUP BY TUMBLE(`at`, INTERVAL '5' SECOND);
