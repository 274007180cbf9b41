-- MD5 and the SHA family of text and bytes, of the empty string, of NULL.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  MD5(s),
  MD5(bb),
  SHA1(s),
  SHA224(s),
  SHA256(s),
  SHA256(bb),
  SHA384(t),
  SHA512(t),
  SHA2(s, 224),
  SHA2(s, 256),
  SHA2(bb, 384),
  SHA2(t, 512)
FROM edge;
