-- UNNEST WITH ORDINALITY of an array and of rows.

CREATE TABLE nested (
  id INT, arr ARRAY<INT>, names ARRAY<STRING>, m MAP<STRING, INT>, list ARRAY<ROW<a INT, b STRING>>,
  grid ARRAY<ARRAY<INT>>
) WITH ('connector' = 'filesystem', 'path' = 'data/nested.json', 'format' = 'json');
SELECT id, e, o FROM nested CROSS JOIN UNNEST(names) WITH ORDINALITY AS u(e, o);
SELECT id, p, q, o FROM nested CROSS JOIN UNNEST(list) WITH ORDINALITY AS u(p, q, o) WHERE id <> 4;
