-- FIRST_VALUE and LAST_VALUE of arrays, maps and rows.

CREATE TABLE nested (
  id INT, arr ARRAY<INT>, names ARRAY<STRING>, m MAP<STRING, INT>, list ARRAY<ROW<a INT, b STRING>>,
  grid ARRAY<ARRAY<INT>>
) WITH ('connector' = 'filesystem', 'path' = 'data/nested.json', 'format' = 'json');
SELECT FIRST_VALUE(arr), LAST_VALUE(arr), FIRST_VALUE(m), LAST_VALUE(list) FROM nested;
