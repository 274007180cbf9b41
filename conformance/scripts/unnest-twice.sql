-- UNNEST of what an UNNEST gave, and of constants.

CREATE TABLE nested (
  id INT, arr ARRAY<INT>, names ARRAY<STRING>, m MAP<STRING, INT>, list ARRAY<ROW<a INT, b STRING>>,
  grid ARRAY<ARRAY<INT>>
) WITH ('connector' = 'filesystem', 'path' = 'data/nested.json', 'format' = 'json');
SELECT id, e FROM nested CROSS JOIN UNNEST(grid) AS g(inner_array) CROSS JOIN UNNEST(inner_array) AS u(e);
SELECT x, y FROM UNNEST(ARRAY[1, 2, 3]) AS u(x) CROSS JOIN UNNEST(ARRAY[x, 10]) AS w(y);
