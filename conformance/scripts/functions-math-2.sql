-- Angles, hyperbolic functions and logarithms of any base.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  ROUND(SIN(dc), 9),
  ROUND(COS(i), 9),
  ROUND(TAN(f), 9),
  ROUND(COT(dc + 1), 9),
  ATAN(x),
  ATAN2(i, 2),
  ASIN(dc / 100000000),
  ACOS(dc / 100000000),
  SINH(dc / 100000000),
  COSH(dc / 100000000),
  TANH(dc),
  DEGREES(dc),
  RADIANS(l),
  LOG2(x),
  LOG(10, i),
  LOG(dc, 2),
  LOG(i)
FROM edge WHERE id <> 4;
