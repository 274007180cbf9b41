-- TRIM of blanks and of other characters (a set), on either or both ends; tabs and line breaks are no blanks.

CREATE TABLE texts (id INT, s STRING, t STRING, n INT)
WITH ('connector' = 'filesystem', 'path' = 'data/texts.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 STRING, c2 STRING, c3 STRING, c4 STRING, c5 STRING, c6 STRING, c7 STRING
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  '[' || TRIM(s) || ']',
  TRIM(LEADING FROM s) || ']',
  '[' || TRIM(TRAILING FROM s),
  TRIM(BOTH 'x' FROM s),
  TRIM(LEADING 'xa' FROM s),
  TRIM(TRAILING t FROM s),
  TRIM('cba' FROM s)
FROM texts;
