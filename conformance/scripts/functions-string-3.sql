-- POSITION, LOCATE, INSTR, STARTSWITH, ENDSWITH, CONCAT_WS, ELT: the empty string, NULL, places before and behind.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  POSITION(t IN s),
  POSITION('b' IN s),
  LOCATE(t, s),
  LOCATE('', s),
  LOCATE('o', s, 6),
  LOCATE(t, s, id),
  INSTR(s, t),
  INSTR(s, 'o', -1),
  INSTR(s, 'k', 1, 2),
  STARTSWITH(s, t),
  STARTSWITH(s, ''),
  STARTSWITH(bb, X'01'),
  ENDSWITH(s, 'c'),
  ENDSWITH(s, t),
  ENDSWITH(bb, X'ff'),
  CONCAT_WS(t, s, 'x', t),
  CONCAT_WS('-', s, CAST(NULL AS STRING), t),
  ELT(2, s, t),
  ELT(id, 'one', 'two', 'three')
FROM edge;
