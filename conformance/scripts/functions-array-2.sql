-- ARRAY_DISTINCT, ARRAY_UNION, ARRAY_EXCEPT, ARRAY_INTERSECT, ARRAY_CONCAT, ARRAY_SLICE, ARRAY_SORT, ARRAY_MAX, ARRAY_MIN.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  ARRAY_DISTINCT(arr),
  ARRAY_DISTINCT(sarr),
  ARRAY_UNION(arr, ARRAY[1, 9]),
  ARRAY_EXCEPT(arr, ARRAY[1, 9]),
  ARRAY_INTERSECT(arr, ARRAY[1, 5, 1]),
  ARRAY_CONCAT(arr, arr),
  ARRAY_CONCAT(arr, ARRAY[i]),
  ARRAY_SLICE(arr, 2),
  ARRAY_SLICE(arr, 2, 3),
  ARRAY_SLICE(arr, -2),
  ARRAY_SLICE(arr, -3, -2),
  ARRAY_SORT(arr),
  ARRAY_SORT(arr, FALSE),
  ARRAY_SORT(arr, TRUE, FALSE),
  ARRAY_SORT(sarr),
  ARRAY_MAX(arr),
  ARRAY_MIN(arr),
  ARRAY_MAX(sarr)
FROM edge;
