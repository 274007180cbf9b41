-- JSON_QUOTE, JSON_UNQUOTE, JSON(..) inside JSON_OBJECT, JSON_VALUE with every behaviour.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  JSON_QUOTE(s),
  JSON_UNQUOTE(JSON_QUOTE(t)),
  JSON_UNQUOTE(s),
  JSON_UNQUOTE('"a' || t || '"'),
  JSON_VALUE(js, '$.s'),
  JSON_VALUE(js, 'lax $.nope' DEFAULT 'none' ON EMPTY),
  JSON_VALUE(js, 'strict $.nope' DEFAULT 'wrong' ON ERROR),
  JSON_VALUE(js, '$.n' DEFAULT 'e' ON EMPTY DEFAULT 'r' ON ERROR),
  JSON_VALUE(js, 'lax $.n' DEFAULT 'e' ON EMPTY DEFAULT 'r' ON ERROR),
  JSON_VALUE(js, '$.a.b[1]'),
  JSON_VALUE(js, '$.a.b[4]' RETURNING BOOLEAN),
  JSON_VALUE(js, '$.i' RETURNING INTEGER),
  JSON_VALUE(js, '$.d' RETURNING DOUBLE),
  JSON_VALUE(js, '$.s' RETURNING VARCHAR(2)),
  JSON_VALUE(js, '$.big'),
  JSON_VALUE(js, '$.a.b.length()'),
  JSON_VALUE(js, '$')
FROM edge;
