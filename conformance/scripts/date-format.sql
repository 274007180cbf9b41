-- DATE_FORMAT with the pattern letters of DateTimeFormatter, quoted text, fractions; of text in the standard form.

CREATE TABLE times (
  id INT, d DATE, tm TIME(3), t0 TIMESTAMP(0), t3 TIMESTAMP(3), t6 TIMESTAMP(6), t9 TIMESTAMP(9), z3 TIMESTAMP_LTZ(3)
) WITH ('connector' = 'filesystem', 'path' = 'data/times.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 STRING, c2 STRING, c3 STRING, c4 STRING, c5 STRING, c6 STRING, c7 STRING, c8 STRING,
  c9 STRING, c10 STRING, c11 STRING, c12 STRING, c13 STRING
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  DATE_FORMAT(t3, 'yyyy-MM-dd HH:mm:ss.SSS'),
  DATE_FORMAT(t6, 'uuuu/M/d H:m:s.SSSSSS'),
  DATE_FORMAT(t9, 'yy MMM dd SSSSSSSSS'),
  DATE_FORMAT(t3, 'EEE EEEE'),
  DATE_FORMAT(t3, 'MMMM D'),
  DATE_FORMAT(t3, 'hh:mm a'),
  DATE_FORMAT(t3, '''T''HH''o''''clock'''),
  DATE_FORMAT(z3, 'yyyyMMddHHmmss'),
  DATE_FORMAT(t3, 'Q G'),
  DATE_FORMAT(t0, 'SSS S'),
  DATE_FORMAT(CAST(t3 AS STRING), 'dd.MM.yyyy'),
  DATE_FORMAT(t3, 'kk KK'),
  DATE_FORMAT('2024-02-29', 'yyyy')
FROM times;
