-- MIN and MAX of strings (by UTF-8 bytes), booleans, dates, times and timestamps.

CREATE TABLE times (
  id INT, d DATE, tm TIME(3), t0 TIMESTAMP(0), t3 TIMESTAMP(3), t6 TIMESTAMP(6), t9 TIMESTAMP(9), z3 TIMESTAMP_LTZ(3)
) WITH ('connector' = 'filesystem', 'path' = 'data/times.json', 'format' = 'json');
CREATE TABLE texts (id INT, s STRING, t STRING, n INT)
WITH ('connector' = 'filesystem', 'path' = 'data/texts.json', 'format' = 'json');
CREATE TABLE texts_out (a STRING, b STRING) WITH ('connector' = 'print');
INSERT INTO texts_out SELECT MIN(s), MAX(s) FROM texts WHERE id <> 9;
CREATE TABLE printed (d1 DATE, d2 DATE, m1 TIME(3), m2 TIME(3), t1 TIMESTAMP(3), t2 TIMESTAMP(3), n1 TIMESTAMP(9), n2 TIMESTAMP(9), z1 TIMESTAMP_LTZ(3), z2 TIMESTAMP_LTZ(3), b1 BOOLEAN, b2 BOOLEAN) WITH ('connector' = 'print');
INSERT INTO printed SELECT MIN(d), MAX(d), MIN(tm), MAX(tm), MIN(t3), MAX(t3), MIN(t9), MAX(t9), MIN(z3), MAX(z3), MIN(id > 3), MAX(id > 3) FROM times;
