-- UNNEST of a map by a comma, with a condition on its value; an alias alone.

CREATE TABLE nested (
  id INT, arr ARRAY<INT>, names ARRAY<STRING>, m MAP<STRING, INT>, list ARRAY<ROW<a INT, b STRING>>,
  grid ARRAY<ARRAY<INT>>
) WITH ('connector' = 'filesystem', 'path' = 'data/nested.json', 'format' = 'json');
SELECT id, k, v FROM nested, UNNEST(m) AS u(k, v) WHERE v > 0 OR v IS NULL;
SELECT id, u.* FROM nested CROSS JOIN UNNEST(arr) AS u;
