-- STR_TO_MAP, SPLIT, SPLIT_INDEX, PARSE_URL, INET_ATON and INET_NTOA.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  STR_TO_MAP(s),
  STR_TO_MAP(s, ' ', 'o'),
  STR_TO_MAP(s, '[,;]', '='),
  STR_TO_MAP(s, t, '='),
  CARDINALITY(STR_TO_MAP(s)),
  SPLIT(s, ' '),
  SPLIT(s, t),
  SPLIT(t, ''),
  CARDINALITY(SPLIT(s, ',')),
  SPLIT_INDEX(s, ',', 1),
  SPLIT_INDEX(s, t, 0),
  PARSE_URL('http://user:pw@host.example:8080/a/b?x=1&y=' || CAST(i AS STRING) || '#r', 'QUERY', 'y'),
  PARSE_URL('https://host.example/' || t, 'PATH'),
  PARSE_URL(s, 'HOST'),
  INET_ATON('10.0.0.' || CAST(id AS STRING)),
  INET_ATON(s),
  INET_NTOA(l),
  INET_NTOA(id)
FROM edge WHERE id <> 9;
