-- CARDINALITY, element access from 1 and outside, map access with a missing key, row fields, nested access, ELEMENT.

CREATE TABLE nested (
  id INT,
  r ROW<a INT, b STRING, c ROW<x DOUBLE, y ARRAY<INT>>>,
  arr ARRAY<INT>, names ARRAY<STRING>, m MAP<STRING, INT>,
  list ARRAY<ROW<a INT, b STRING>>, grid ARRAY<ARRAY<INT>>, mm MAP<STRING, MAP<STRING, INT>>
) WITH ('connector' = 'filesystem', 'path' = 'data/nested.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 INT, c2 INT, c3 INT, c4 INT, c5 INT, c6 INT, c7 INT, c8 INT, c9 INT, c10 INT, c11 INT,
  c12 INT, c13 INT, c14 INT, c15 INT, c16 DOUBLE, c17 STRING, c18 STRING, c19 STRING, c20 ARRAY<INT>,
  c21 ROW<x DOUBLE, y ARRAY<INT>>, c22 INT, c23 INT, c24 STRING, c25 INT
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  CARDINALITY(arr),
  CARDINALITY(m),
  arr[1],
  arr[2],
  arr[5],
  m['k'],
  m[''],
  m['nope'],
  r.a,
  nested.r.a,
  r.c.y[2],
  list[1].a,
  grid[1][1],
  mm['o']['i'],
  CARDINALITY(grid[1]),
  r.c.x,
  r.b,
  UPPER(names[1]),
  list[2].b,
  r.c.y,
  r.c,
  ELEMENT(ARRAY[id]),
  ARRAY[id, 2 * id][2],
  MAP['a', 'x', 'b', 'y']['b'],
  CARDINALITY(ARRAY[1, NULL])
FROM nested;
