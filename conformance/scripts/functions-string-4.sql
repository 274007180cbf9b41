-- IS_ALPHA, IS_DECIMAL, IS_DIGIT, ASCII, CHR, base 64, character sets and URLs.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  IS_ALPHA(s),
  IS_ALPHA(t),
  IS_ALPHA('ａé'),
  IS_DECIMAL(t),
  IS_DECIMAL(js),
  IS_DECIMAL(i),
  IS_DIGIT(t),
  IS_DIGIT('１٣'),
  ASCII(s),
  ASCII(t),
  CHR(i),
  CHR(97 + id),
  TO_BASE64(s),
  TO_BASE64(bb),
  FROM_BASE64(TO_BASE64(s)),
  ENCODE(s, 'UTF-8'),
  ENCODE(t, 'UTF-16'),
  ENCODE(t, 'ISO-8859-1'),
  DECODE(ENCODE(s, 'UTF-16LE'), 'UTF-16LE'),
  URL_ENCODE(s),
  URL_DECODE(s),
  URL_DECODE(URL_ENCODE(s))
FROM edge;
