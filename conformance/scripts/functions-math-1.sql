-- Powers, roots, logarithms and SIGN of every number type at its limits, of zero and of NULL.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  POWER(x, 2),
  POWER(dc, 0.5),
  POWER(i, -1),
  SQRT(x),
  SQRT(i),
  SQRT(dc),
  LN(x),
  LN(i),
  LOG10(dc),
  LOG10(l),
  EXP(f),
  EXP(dc),
  SIGN(i),
  SIGN(l),
  SIGN(f),
  SIGN(x),
  SIGN(dc),
  PI(),
  PI,
  E()
FROM edge;
