-- FLOOR of dates, times and timestamps to each unit; a week starts on Sunday.

CREATE TABLE times (
  id INT, d DATE, tm TIME(3), t0 TIMESTAMP(0), t3 TIMESTAMP(3), t6 TIMESTAMP(6), t9 TIMESTAMP(9), z3 TIMESTAMP_LTZ(3)
) WITH ('connector' = 'filesystem', 'path' = 'data/times.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 TIMESTAMP(3), c2 TIMESTAMP(3), c3 TIMESTAMP(3), c4 TIMESTAMP(3), c5 TIMESTAMP(3),
  c6 TIMESTAMP(3), c7 TIMESTAMP(3), c8 TIMESTAMP(3), c9 DATE, c10 DATE, c11 DATE, c12 DATE, c13 TIME(3),
  c14 TIME(3), c15 TIMESTAMP_LTZ(3), c16 TIMESTAMP_LTZ(3), c17 TIMESTAMP(0)
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  FLOOR(t3 TO YEAR),
  FLOOR(t3 TO QUARTER),
  FLOOR(t3 TO MONTH),
  FLOOR(t3 TO WEEK),
  FLOOR(t3 TO DAY),
  FLOOR(t3 TO HOUR),
  FLOOR(t3 TO MINUTE),
  FLOOR(t3 TO SECOND),
  FLOOR(d TO YEAR),
  FLOOR(d TO QUARTER),
  FLOOR(d TO MONTH),
  FLOOR(d TO WEEK),
  FLOOR(tm TO HOUR),
  FLOOR(tm TO MINUTE),
  FLOOR(z3 TO DAY),
  FLOOR(z3 TO MINUTE),
  FLOOR(t0 TO HOUR)
FROM times;
