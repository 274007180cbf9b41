-- REGEXP and its family with patterns of a column: the empty pattern, one that is none, characters beyond the BMP.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  REGEXP(s, p),
  REGEXP_EXTRACT(s, p),
  REGEXP_EXTRACT(s, p, 0),
  REGEXP_EXTRACT(s, p, 1),
  REGEXP_EXTRACT(s, p, 9),
  REGEXP_EXTRACT(s, p, -1),
  REGEXP_REPLACE(s, p, '$1'),
  REGEXP_REPLACE(s, p, t),
  REGEXP_COUNT(s, p),
  REGEXP_INSTR(s, p),
  REGEXP_SUBSTR(s, p),
  REGEXP_EXTRACT_ALL(s, p, 0),
  REGEXP_EXTRACT_ALL(s, p),
  REGEXP_EXTRACT_ALL(s, p, 2)
FROM edge WHERE id <> 4;
