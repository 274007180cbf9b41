-- UNNEST below an aggregate.

CREATE TABLE nested (
  id INT, arr ARRAY<INT>, names ARRAY<STRING>, m MAP<STRING, INT>, list ARRAY<ROW<a INT, b STRING>>,
  grid ARRAY<ARRAY<INT>>
) WITH ('connector' = 'filesystem', 'path' = 'data/nested.json', 'format' = 'json');
SELECT e, COUNT(*) FROM nested CROSS JOIN UNNEST(names) AS u(e) GROUP BY e;
