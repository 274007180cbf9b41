-- The same in a zone with daylight saving: hours that do not exist and that exist twice.

SET 'table.local-time-zone' = 'Europe/Berlin';
CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  FROM_UNIXTIME(l),
  FROM_UNIXTIME(l, 'HH:mm XXX'),
  UNIX_TIMESTAMP(s),
  UNIX_TIMESTAMP(CAST(ts AS STRING)),
  TO_DATE(CAST(ts AS STRING), 'yyyy-MM-dd HH:mm'),
  CAST(ltz AS STRING),
  CAST(ltz AS TIMESTAMP(3)),
  CAST(ts AS TIMESTAMP_LTZ(3)),
  HOUR(ltz),
  FLOOR(ltz TO DAY),
  DATE_FORMAT(ltz, 'yyyy-MM-dd HH:mm'),
  TIMESTAMPADD(HOUR, 1, ltz),
  TIMESTAMPADD(DAY, 1, ltz),
  ltz + INTERVAL '1' DAY,
  TO_TIMESTAMP_LTZ(l, 0),
  CAST(ltz AS DATE)
FROM edge WHERE id NOT IN (4, 5);
