-- LPAD, RPAD, OVERLAY and TRANSLATE: pairs of UTF-16 are torn apart as in Java.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  LPAD(s, 20, 'ab'),
  LPAD(s, 3, 'ab'),
  LPAD(t, 4, '😀'),
  LPAD(t, 5, '😀'),
  LPAD(s, id - 3, '-'),
  LPAD(s, 5, ''),
  RPAD(s, 20, 'ab'),
  RPAD(s, 2, 'ab'),
  RPAD(t, 6, t),
  RPAD(s, id - 3, '-'),
  OVERLAY(s PLACING '##' FROM 3),
  OVERLAY(s PLACING '##' FROM 2 FOR 1),
  OVERLAY(s PLACING t FROM id),
  OVERLAY(s PLACING '' FROM 1 FOR 100),
  TRANSLATE(s, 'ao', 'x'),
  TRANSLATE(s, t, 'x'),
  TRANSLATE(s, 'abc', '')
FROM edge;
