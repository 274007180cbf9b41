-- TRUNCATE beside ROUND: digits before and behind the point.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  TRUNCATE(dc, 1),
  TRUNCATE(dc),
  TRUNCATE(dc, -2),
  TRUNCATE(dc, 5),
  TRUNCATE(i, -3),
  TRUNCATE(l, -5),
  TRUNCATE(i, 2),
  ROUND(dc, 1),
  ROUND(i, -3),
  ROUND(l, -5),
  MOD(i, 7),
  MOD(l, 7),
  MOD(dc, 0.3),
  ABS(dc),
  CEIL(dc),
  FLOOR(dc),
  GREATEST(i, l),
  LEAST(i, 5)
FROM edge;
