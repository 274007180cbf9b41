-- FROM_UNIXTIME, UNIX_TIMESTAMP and TO_DATE with SimpleDateFormat: lenient dates, text that follows no format, limits.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  FROM_UNIXTIME(l),
  FROM_UNIXTIME(i),
  FROM_UNIXTIME(l, 'EEE, d MMM yyyy HH:mm:ss Z'),
  FROM_UNIXTIME(i, 'yy/M/d h:mm a'),
  FROM_UNIXTIME(id * 86400, 'YYYY-ww u F W D k K'),
  FROM_UNIXTIME(-l, 'G yyyy-MM-dd'),
  UNIX_TIMESTAMP(s),
  UNIX_TIMESTAMP(CAST(ts AS STRING)),
  UNIX_TIMESTAMP(CAST(d AS STRING), 'yyyy-MM-dd'),
  UNIX_TIMESTAMP('2024-' || CAST(id AS STRING) || '-31', 'yyyy-MM-dd'),
  UNIX_TIMESTAMP(CAST(ts AS STRING) || ' +0230', 'yyyy-MM-dd HH:mm:ss.SSS Z'),
  TO_DATE(s),
  TO_DATE(CAST(d AS STRING)),
  TO_DATE(CAST(ts AS STRING)),
  TO_DATE(CAST(ts AS STRING), 'yyyy-MM-dd HH:mm:ss'),
  TO_DATE('31/' || CAST(id AS STRING) || '/2023', 'dd/MM/yyyy')
FROM edge WHERE id <> 5;
