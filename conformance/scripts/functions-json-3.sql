-- JSON_STRING, JSON_OBJECT and JSON_ARRAY of every type that has a form in JSON; NULL values kept or left out; nested calls.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  JSON_STRING(s),
  JSON_STRING(i),
  JSON_STRING(l),
  JSON_STRING(x),
  JSON_STRING(f),
  JSON_STRING(dc),
  JSON_STRING(b),
  JSON_STRING(bb),
  JSON_STRING(ts),
  JSON_STRING(ltz),
  JSON_STRING(arr),
  JSON_STRING(sarr),
  JSON_STRING(mp),
  JSON_STRING(ROW(i, s)),
  JSON_OBJECT('z' VALUE s, KEY 'a' VALUE i, 'm' VALUE arr),
  JSON_OBJECT('s' VALUE s, 'i' VALUE i ABSENT ON NULL),
  JSON_OBJECT('o' VALUE JSON_OBJECT('i' VALUE i), 'r' VALUE JSON_ARRAY(s, t)),
  JSON_ARRAY(s, i, b),
  JSON_ARRAY(s, i NULL ON NULL),
  JSON_OBJECT()
FROM edge;
