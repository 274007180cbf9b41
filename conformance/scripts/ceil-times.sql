-- CEIL of dates and timestamps to each unit: a time that is on the bound stays.

CREATE TABLE times (
  id INT, d DATE, tm TIME(3), t0 TIMESTAMP(0), t3 TIMESTAMP(3), t6 TIMESTAMP(6), t9 TIMESTAMP(9), z3 TIMESTAMP_LTZ(3)
) WITH ('connector' = 'filesystem', 'path' = 'data/times.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 TIMESTAMP(3), c2 TIMESTAMP(3), c3 TIMESTAMP(3), c4 TIMESTAMP(3), c5 TIMESTAMP(3),
  c6 TIMESTAMP(3), c7 TIMESTAMP(3), c8 TIMESTAMP(3), c9 DATE, c10 DATE, c11 DATE, c12 DATE, c13 TIMESTAMP_LTZ(3),
  c14 TIMESTAMP(0), c15 TIMESTAMP_LTZ(3)
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  CEIL(t3 TO YEAR),
  CEIL(t3 TO QUARTER),
  CEIL(t3 TO MONTH),
  CEIL(t3 TO WEEK),
  CEIL(t3 TO DAY),
  CEIL(t3 TO HOUR),
  CEIL(t3 TO MINUTE),
  CEIL(t3 TO SECOND),
  CEIL(d TO YEAR),
  CEIL(d TO QUARTER),
  CEIL(d TO MONTH),
  CEIL(d TO WEEK),
  CEIL(z3 TO DAY),
  CEIL(t0 TO HOUR),
  CEIL(z3 TO HOUR)
FROM times;
