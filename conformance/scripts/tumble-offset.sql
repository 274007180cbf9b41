-- compare: watermark
-- TUMBLE with an offset, and with named arguments.

CREATE TABLE readings (
  n INT, sensor STRING, `value` INT, `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '3' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/readings.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed SELECT window_start, window_end, COUNT(*)
FROM TABLE(TUMBLE(TABLE readings, DESCRIPTOR(`at`), INTERVAL '30' SECOND, INTERVAL '7' SECOND)) GROUP BY window_start, window_end;
INSERT INTO printed SELECT window_start, window_end, COUNT(*)
FROM TABLE(TUMBLE(DATA => TABLE readings, TIMECOL => DESCRIPTOR(`at`), SIZE => INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;
