-- IN lists with NULL, BETWEEN SYMMETRIC, IS DISTINCT FROM, rows compared field by field, NULLIF, COALESCE, IF, CASE, TYPEOF.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  i IN (1, 3, 10),
  i IN (1, NULL),
  i NOT IN (1, NULL),
  s IN (t, 'Hello World'),
  (i, t) IN ((3, 'o'), (0, '')),
  (i, t) = (3, 'o'),
  i BETWEEN SYMMETRIC 10 AND 0,
  dc BETWEEN -1 AND 100,
  i NOT BETWEEN id AND 5,
  s IS DISTINCT FROM t,
  i IS NOT DISTINCT FROM NULLIF(i, 3),
  arr IS DISTINCT FROM ARRAY[3, 1, 2, 1],
  NULLIF(s, ''),
  COALESCE(NULLIF(t, ''), s, 'none'),
  IF(b, s, t),
  CASE i WHEN 0 THEN 'zero' WHEN 1 THEN 'one' END,
  TYPEOF(dc + i),
  TYPEOF(IF(b, s, 'x')),
  TYPEOF(mp, TRUE),
  GREATEST(d, DATE '2000-01-01'),
  LEAST(s, t)
FROM edge;
