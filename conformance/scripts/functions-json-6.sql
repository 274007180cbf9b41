-- JSON paths with filters that compare, and with functions at their end.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  JSON_QUERY('[{"p":5,"q":"a"},{"p":' || CAST(id AS STRING) || ',"q":"b"},{"r":null}]', '$[?(@.p >= 5)]'),
  JSON_QUERY('[{"p":5,"q":"a"},{"p":' || CAST(id AS STRING) || ',"q":"b"}]', '$[?(@.q == ''b'' && @.p < 4)].p'),
  JSON_QUERY('[1,' || CAST(id AS STRING) || ',10]', '$[?(@ > 4)]'),
  JSON_QUERY('[1,' || CAST(id AS STRING) || ',10]', '$[?(@ != 1)]'),
  JSON_EXISTS('[' || CAST(id AS STRING) || ']', '$[?(@ == 3)]'),
  JSON_VALUE('[1,' || CAST(id AS STRING) || ']', '$.max()'),
  JSON_VALUE('[1,' || CAST(id AS STRING) || ']', '$.min()'),
  JSON_VALUE('[1,' || CAST(id AS STRING) || ']', '$.avg()'),
  JSON_VALUE('[1,' || CAST(id AS STRING) || ']', '$.sum()'),
  JSON_VALUE(js, '$.length()'),
  JSON_QUERY('{"k":{"a":1}}', '$.k.keys()')
FROM edge;
