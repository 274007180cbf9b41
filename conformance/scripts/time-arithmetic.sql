-- Intervals added to and taken from dates, times and timestamps; the last day of a month; differences of timestamps
-- as text.

CREATE TABLE times (
  id INT, d DATE, tm TIME(3), t0 TIMESTAMP(0), t3 TIMESTAMP(3), t6 TIMESTAMP(6), t9 TIMESTAMP(9), z3 TIMESTAMP_LTZ(3)
) WITH ('connector' = 'filesystem', 'path' = 'data/times.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 TIMESTAMP(3), c2 TIMESTAMP(3), c3 TIMESTAMP(6), c4 TIMESTAMP(3), c5 DATE, c6 DATE,
  c7 DATE, c8 TIMESTAMP_LTZ(3), c9 TIME(3), c10 BOOLEAN, c11 BOOLEAN, c12 BOOLEAN, c13 BOOLEAN,
  c14 BOOLEAN
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  t3 + INTERVAL '1' DAY,
  t3 - INTERVAL '1' MONTH,
  t6 + INTERVAL '1.5' SECOND,
  t3 + INTERVAL '1 02:03:04.005' DAY TO SECOND,
  d + INTERVAL '1' YEAR,
  d - INTERVAL '1' DAY,
  d + INTERVAL '1-1' YEAR TO MONTH,
  z3 + INTERVAL '36' HOUR,
  tm + INTERVAL '1' HOUR,
  t3 < t3 + INTERVAL '1' SECOND,
  d = '2024-02-29',
  t3 >= '1970-01-01 00:00:00',
  t3 = t6,
  t6 BETWEEN TIMESTAMP '2023-01-01 00:00:00' AND TIMESTAMP '2024-12-31 00:00:00'
FROM times;
