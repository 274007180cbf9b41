-- A longer changelog: 240 rows, some NULL, over a dozen keys, with a second aggregate over the first.

CREATE TABLE readings (
  n INT, sensor STRING, `value` INT, `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '3' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/readings.json', 'format' = 'json');
CREATE TABLE printed (sensor STRING, n BIGINT, total INT, mean INT) WITH ('connector' = 'print');
CREATE TABLE histogram (n BIGINT, sensors BIGINT, totals INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT sensor, COUNT(`value`), SUM(`value`), AVG(`value`) FROM readings GROUP BY sensor;
INSERT INTO histogram SELECT n, COUNT(*), SUM(total)
FROM (SELECT sensor, COUNT(*) AS n, SUM(`value`) AS total FROM readings GROUP BY sensor) GROUP BY n;
