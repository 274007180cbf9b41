-- Java's syntax: possessive quantifiers, look-around, back-references, atomic groups, flags, classes and their intersections, POSIX names, quoting.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  REGEXP_REPLACE(s, '[a-z&&[^aeiou]]', '#'),
  REGEXP_REPLACE(s, '(?i)[A-F]', '#'),
  REGEXP_REPLACE(s, '(?iu)À', '#'),
  REGEXP_REPLACE(s, '(?<=[a-z])\d', '#'),
  REGEXP_REPLACE(s, '\w(?!\w)', '#'),
  REGEXP_REPLACE(s, '(.)\1', '#'),
  REGEXP_REPLACE(s, '\w++', '#'),
  REGEXP_REPLACE(s, '(?>l+)o', '#'),
  REGEXP_REPLACE(s, '\p{Alpha}', '#'),
  REGEXP_REPLACE(s, '\p{L}', '#'),
  REGEXP_REPLACE(s, '\p{IsGreek}|\p{Lu}', '#'),
  REGEXP_REPLACE(s, '\h', '#'),
  REGEXP_REPLACE(s, '[^\w\s]', '#'),
  REGEXP_REPLACE(s, '\Q.b*\E', '#'),
  REGEXP_REPLACE(s, '(?x) k \d # key', '#'),
  REGEXP_REPLACE(s, 'l*', '-'),
  REGEXP_EXTRACT(s, '(?<key>\w+)=(\w+)$', 2),
  REGEXP_REPLACE(s, '\bW', '#'),
  REGEXP_REPLACE(s, '\x6c|\u006f|\t', '#'),
  REGEXP_COUNT(s, '.')
FROM edge WHERE id <> 4;
