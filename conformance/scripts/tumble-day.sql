-- compare: watermark
-- Windows of a day and of an hour in a zone with summer time, over TIMESTAMP_LTZ: bounds follow local time.

SET 'table.local-time-zone' = 'Europe/Berlin';
CREATE TABLE events (
  ms BIGINT, `at` AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR `at` AS `at`
) WITH ('connector' = 'filesystem', 'path' = 'data/summer-time.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed SELECT window_start, window_end, COUNT(*)
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(`at`), INTERVAL '1' DAY)) GROUP BY window_start, window_end;
INSERT INTO printed SELECT window_start, window_end, COUNT(*)
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(`at`), INTERVAL '1' HOUR)) GROUP BY window_start, window_end;
