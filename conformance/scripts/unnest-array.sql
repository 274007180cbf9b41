-- CROSS JOIN UNNEST of an array; an empty or NULL one gives no row, a NULL element one.

CREATE TABLE nested (
  id INT, arr ARRAY<INT>, names ARRAY<STRING>, m MAP<STRING, INT>, list ARRAY<ROW<a INT, b STRING>>,
  grid ARRAY<ARRAY<INT>>
) WITH ('connector' = 'filesystem', 'path' = 'data/nested.json', 'format' = 'json');
SELECT id, e FROM nested CROSS JOIN UNNEST(arr) AS u(e);
