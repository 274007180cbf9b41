-- SIMILAR TO: wildcards, repetition, alternatives, enumerations, character classes, ESCAPE.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  s SIMILAR TO '%o%',
  s SIMILAR TO 'Hello (World|Moon)',
  s SIMILAR TO '[A-Z]%',
  s SIMILAR TO '[^A-Z]%',
  s SIMILAR TO '_{11}',
  s SIMILAR TO '(k_=v_,?)+',
  s SIMILAR TO '[[:DIGIT:]]{4}-%',
  s SIMILAR TO '%[[:ALPHA:]]',
  s SIMILAR TO '%!%%' ESCAPE '!',
  s SIMILAR TO '!%%' ESCAPE '!',
  s NOT SIMILAR TO '%',
  t SIMILAR TO '',
  t SIMILAR TO '_',
  t SIMILAR TO '.',
  s SIMILAR TO s,
  s LIKE '%o%',
  s LIKE '%!%%' ESCAPE '!'
FROM edge WHERE id <> 9;
