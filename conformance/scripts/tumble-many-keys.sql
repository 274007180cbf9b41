-- compare: watermark
-- Many keys in one window (in Flink their order is that of a hash map), many rows out of order, some too late.

CREATE TABLE readings (
  n INT, sensor STRING, `value` INT, `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '3' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/readings.json', 'format' = 'json');
CREATE TABLE printed (e TIMESTAMP(3), sensor STRING, n BIGINT, total INT, low INT, high INT, mean DOUBLE) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_end, sensor, COUNT(*), SUM(`value`), MIN(`value`), MAX(`value`), AVG(CAST(`value` AS DOUBLE))
FROM TABLE(TUMBLE(TABLE readings, DESCRIPTOR(`at`), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, sensor;
