-- MAP_KEYS, MAP_VALUES, MAP_ENTRIES, MAP_UNION, MAP_FROM_ARRAYS, access by key.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  ARRAY_SORT(MAP_KEYS(mp)),
  ARRAY_SORT(MAP_VALUES(mp)),
  CARDINALITY(MAP_ENTRIES(mp)),
  MAP_ENTRIES(MAP['k', i]),
  MAP_UNION(mp, MAP['d', 9]),
  MAP_UNION(mp, mp),
  MAP_FROM_ARRAYS(sarr, sarr),
  CARDINALITY(mp),
  mp['a'],
  mp[t],
  MAP[s, i]
FROM edge;
