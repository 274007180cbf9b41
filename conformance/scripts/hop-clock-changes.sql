-- compare: watermark
-- HOP where the clock is set forward and back.

SET 'table.local-time-zone' = 'Europe/Berlin';
CREATE TABLE ticks (
  ms BIGINT,
  `at` AS TO_TIMESTAMP_LTZ(ms, 3),
  WATERMARK FOR `at` AS `at` - INTERVAL '1' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/clock-changes.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), t TIMESTAMP_LTZ(3), n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, window_time, COUNT(*)
FROM TABLE(HOP(TABLE ticks, DESCRIPTOR(`at`), INTERVAL '30' MINUTE, INTERVAL '1' HOUR))
GROUP BY window_start, window_end, window_time;
