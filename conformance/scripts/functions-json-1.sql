-- JSON_EXISTS and IS JSON: lax and strict, what ON ERROR gives, text that is no JSON, NULL.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  JSON_EXISTS(js, '$.a'),
  JSON_EXISTS(js, 'lax $.a.b[1]'),
  JSON_EXISTS(js, 'strict $.a.b[9]'),
  JSON_EXISTS(js, 'strict $.a' TRUE ON ERROR),
  JSON_EXISTS(js, 'strict $.a' UNKNOWN ON ERROR),
  JSON_EXISTS(js, '$.n'),
  JSON_EXISTS(js, '$[0]'),
  JSON_EXISTS(js, '$'),
  js IS JSON,
  js IS NOT JSON,
  js IS JSON VALUE,
  js IS JSON OBJECT,
  js IS JSON ARRAY,
  js IS JSON SCALAR,
  js IS NOT JSON SCALAR,
  s IS JSON,
  t IS JSON
FROM edge;
