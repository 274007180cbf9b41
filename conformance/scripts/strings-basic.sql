-- Length in code points, case, concatenation with NULL, REPLACE; text beyond the BMP.

CREATE TABLE texts (id INT, s STRING, t STRING, n INT)
WITH ('connector' = 'filesystem', 'path' = 'data/texts.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 INT, c2 INT, c3 STRING, c4 STRING, c5 STRING, c6 STRING, c7 STRING, c8 STRING, c9 BOOLEAN,
  c10 BOOLEAN, c11 STRING, c12 STRING, c13 STRING
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  CHAR_LENGTH(s),
  CHARACTER_LENGTH(t),
  UPPER(s),
  LOWER(s),
  s || '|' || t,
  CONCAT(s, t, '!'),
  REPLACE(s, 'b', '<b>'),
  REPLACE(s, t, ''),
  s = '',
  s < t,
  GREATEST(s, t),
  COALESCE(s, 'none'),
  CONCAT(t)
FROM texts WHERE id <> 2;
