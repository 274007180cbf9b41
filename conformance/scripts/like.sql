-- LIKE with %, _, ESCAPE; regular expression characters are plain; code points count as one character; a line break
-- is not matched by _ .

CREATE TABLE texts (id INT, s STRING, t STRING, n INT)
WITH ('connector' = 'filesystem', 'path' = 'data/texts.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 BOOLEAN, c2 BOOLEAN, c3 BOOLEAN, c4 BOOLEAN, c5 BOOLEAN, c6 BOOLEAN, c7 BOOLEAN,
  c8 BOOLEAN, c9 BOOLEAN, c10 BOOLEAN, c11 BOOLEAN, c12 BOOLEAN, c13 BOOLEAN, c14 BOOLEAN, c15 BOOLEAN,
  c16 BOOLEAN, c17 BOOLEAN, c18 BOOLEAN
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  s LIKE '%o%',
  s LIKE 'a%c',
  s LIKE 'a_b_c',
  s LIKE '',
  s LIKE '%',
  s LIKE 'Hello World',
  s LIKE 'hello%',
  s LIKE '100!%!_%' ESCAPE '!',
  s LIKE 'line_break',
  s LIKE 'line%break',
  s NOT LIKE '%x%',
  s LIKE '%' || t || '%',
  s LIKE t,
  s LIKE '%.%',
  s LIKE '__',
  s LIKE '%ü%e%',
  s LIKE '%\',
  s LIKE 'xx%xx'
FROM texts;
