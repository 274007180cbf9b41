-- SUBSTRING in both forms: start 0 and below counts from the end, a start or length beyond the text, negative length,
-- NULL; counted in code points.

CREATE TABLE texts (id INT, s STRING, t STRING, n INT)
WITH ('connector' = 'filesystem', 'path' = 'data/texts.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 STRING, c2 STRING, c3 STRING, c4 STRING, c5 STRING, c6 STRING, c7 STRING, c8 STRING,
  c9 STRING, c10 STRING, c11 STRING, c12 STRING
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  SUBSTRING(s, 2),
  SUBSTRING(s, n),
  SUBSTRING(s FROM 2 FOR 3),
  SUBSTRING(s, 0, 2),
  SUBSTRING(s, 1, 0),
  SUBSTRING(s, 2, -1),
  SUBSTRING(s, -2),
  SUBSTRING(s, -3, 2),
  SUBSTRING(s, -100, 3),
  SUBSTRING(s, 100),
  SUBSTRING(s, n, 2),
  SUBSTRING(s, 2, n)
FROM texts;
