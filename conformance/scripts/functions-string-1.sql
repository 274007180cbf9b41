-- LTRIM, RTRIM, BTRIM, LEFT, RIGHT, REVERSE, REPEAT, INITCAP: characters beyond the BMP, counts below zero, NULL.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  LTRIM(s),
  LTRIM(s, t),
  RTRIM(s),
  RTRIM(s, 'c'),
  BTRIM(s),
  BTRIM(s, 'a '),
  LEFT(s, 4),
  LEFT(s, i),
  RIGHT(s, 4),
  RIGHT(s, i),
  REVERSE(s),
  REPEAT(t, 3),
  REPEAT(s, -1),
  INITCAP(s),
  INITCAP(t),
  LEFT(s, 0),
  RIGHT(s, 0)
FROM edge;
