-- JSON_QUERY: wrappers, ON EMPTY and ON ERROR, RETURNING ARRAY<STRING>, paths that find several values.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  JSON_QUERY(js, '$'),
  JSON_QUERY(js, 'lax $'),
  JSON_QUERY(js, '$.a.b'),
  JSON_QUERY(js, 'lax $.a.b[2]'),
  JSON_QUERY(js, '$.a.b[2]' WITH WRAPPER),
  JSON_QUERY(js, '$.a.b' WITH CONDITIONAL WRAPPER),
  JSON_QUERY(js, '$.a.b' WITH UNCONDITIONAL ARRAY WRAPPER),
  JSON_QUERY(js, 'lax $.nope' EMPTY ARRAY ON EMPTY),
  JSON_QUERY(js, 'strict $.nope' EMPTY OBJECT ON ERROR),
  JSON_QUERY(js, '$.n' EMPTY ARRAY ON EMPTY EMPTY OBJECT ON ERROR),
  JSON_QUERY(js, 'lax $.a.b' RETURNING ARRAY<STRING>),
  JSON_QUERY(js, 'lax $' RETURNING ARRAY<STRING> EMPTY ARRAY ON EMPTY),
  JSON_QUERY(js, '$.a.b[*]'),
  JSON_QUERY(js, '$[*]'),
  JSON_QUERY(js, '$..b'),
  JSON_QUERY(js, '$[0:2]'),
  JSON_QUERY(js, '$[0,1]'),
  JSON_QUERY(js, '$.*'),
  JSON_QUERY(js, '$[-1]' WITH WRAPPER)
FROM edge;
