-- Rows in rows, arrays of rows, arrays of arrays, maps of maps, with NULL at each level and missing fields in the
-- JSON.

CREATE TABLE nested (
  id INT,
  r ROW<a INT, b STRING, c ROW<x DOUBLE, y ARRAY<INT>>>,
  arr ARRAY<INT>, names ARRAY<STRING>, m MAP<STRING, INT>,
  list ARRAY<ROW<a INT, b STRING>>, grid ARRAY<ARRAY<INT>>, mm MAP<STRING, MAP<STRING, INT>>
) WITH ('connector' = 'filesystem', 'path' = 'data/nested.json', 'format' = 'json');
CREATE TABLE printed (
  id INT,
  r ROW<a INT, b STRING, c ROW<x DOUBLE, y ARRAY<INT>>>,
  arr ARRAY<INT>, names ARRAY<STRING>, m MAP<STRING, INT>,
  list ARRAY<ROW<a INT, b STRING>>, grid ARRAY<ARRAY<INT>>, mm MAP<STRING, MAP<STRING, INT>>
) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM nested;
