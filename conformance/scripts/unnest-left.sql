-- LEFT JOIN UNNEST ON TRUE of rows: fields are columns; a row without elements stays.

CREATE TABLE nested (
  id INT, arr ARRAY<INT>, names ARRAY<STRING>, m MAP<STRING, INT>, list ARRAY<ROW<a INT, b STRING>>,
  grid ARRAY<ARRAY<INT>>
) WITH ('connector' = 'filesystem', 'path' = 'data/nested.json', 'format' = 'json');
SELECT id, p, q FROM nested LEFT JOIN UNNEST(list) AS u(p, q) ON TRUE;
