-- JSON(..) puts a text that is JSON into JSON_OBJECT and JSON_ARRAY as it is.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  JSON_OBJECT('v' VALUE JSON(js)),
  JSON_ARRAY(JSON(js), i),
  JSON_OBJECT('v' VALUE js)
FROM edge WHERE id IN (1, 2, 4, 5, 7, 8, 9, 10);
