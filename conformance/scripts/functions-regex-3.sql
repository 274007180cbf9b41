-- Line ends: . ^ $ \Z \z with and without (?m), (?s), (?d).

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  REGEXP_REPLACE(s || U&'\000A' || t || U&'\000A', '$', '<'),
  REGEXP_REPLACE(s || U&'\000D\000A', '$', '<'),
  REGEXP_REPLACE(s || U&'\000A', '\Z', '<'),
  REGEXP_REPLACE(s || U&'\000A', '\z', '<'),
  REGEXP_REPLACE(s || U&'\000A' || t, '(?m)^', '>'),
  REGEXP_REPLACE(s || U&'\000A' || t, '(?m)$', '<'),
  REGEXP_REPLACE(t || U&'\000A\0085\2028' || t, '.', 'x'),
  REGEXP_REPLACE(t || U&'\000A' || t, '(?s).', 'x'),
  REGEXP_REPLACE(t || U&'\000A\0085' || t, '(?d).', 'x'),
  REGEXP_EXTRACT(s || U&'\000A' || t, '^(.*)$', 1),
  REGEXP_EXTRACT(s || U&'\000A' || t, '(?s)^(.*)$', 1),
  REGEXP_REPLACE(s || U&'\000B\000C', '\v', '|'),
  REGEXP_REPLACE(s || U&'\000A', '\R', '|')
FROM edge;
