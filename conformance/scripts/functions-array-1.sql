-- ARRAY_CONTAINS, ARRAY_POSITION, ARRAY_APPEND, ARRAY_PREPEND, ARRAY_REMOVE, ARRAY_REVERSE, ARRAY_JOIN: NULL elements and NULL arrays, empty ones.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  ARRAY_CONTAINS(arr, 1),
  ARRAY_CONTAINS(arr, i),
  ARRAY_CONTAINS(sarr, t),
  ARRAY_CONTAINS(sarr, CAST(NULL AS STRING)),
  ARRAY_POSITION(arr, 1),
  ARRAY_POSITION(sarr, 'x'),
  ARRAY_APPEND(arr, i),
  ARRAY_PREPEND(arr, 7),
  ARRAY_APPEND(sarr, s),
  ARRAY_REMOVE(arr, 1),
  ARRAY_REMOVE(arr, i),
  ARRAY_REVERSE(arr),
  ARRAY_REVERSE(sarr),
  ARRAY_JOIN(sarr, '-'),
  ARRAY_JOIN(sarr, '-', 'nil'),
  CARDINALITY(arr),
  arr[1],
  arr[i],
  sarr[2]
FROM edge WHERE id NOT IN (3, 5, 6);
