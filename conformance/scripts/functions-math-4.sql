-- HEX, BIN, UNHEX and the random functions with a seed, which are those of java.util.Random: a literal seed gives a sequence, a column begins anew in each row.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  HEX(i),
  HEX(l),
  HEX(s),
  BIN(i),
  BIN(l),
  UNHEX(HEX(s)),
  UNHEX(t),
  UNHEX('abc'),
  RAND(7),
  RAND(i),
  RAND_INTEGER(7, 100),
  RAND_INTEGER(i, 100),
  RAND_INTEGER(3, 64),
  RAND() BETWEEN 0 AND 1,
  RAND_INTEGER(10) < 10,
  CHAR_LENGTH(UUID()),
  REGEXP(UUID(), '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$')
FROM edge;
