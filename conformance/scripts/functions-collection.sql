-- ELEMENT, CARDINALITY, constructors, access to rows, arrays and maps by columns.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  ELEMENT(ARRAY[i]),
  CARDINALITY(arr),
  CARDINALITY(mp),
  ARRAY[i, id, NULL],
  ARRAY[s, t],
  MAP['i', i, 'id', id],
  MAP[id, s],
  ROW(i, s, arr),
  ROW(i, s).EXPR$1,
  (id, t),
  ARRAY[ROW(i, s)][1].EXPR$0,
  arr[id],
  mp[s],
  MAP[t, s][t],
  ARRAY[1, 2.5, id],
  IF(CARDINALITY(arr) > 2, arr[3], -1)
FROM edge;
