-- Comparison of numbers of different types, of NULL, IS [NOT] DISTINCT FROM, BETWEEN.

CREATE TABLE numbers (
  id INT, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f32 FLOAT, f64 DOUBLE, dc DECIMAL(10, 2), dd DECIMAL(20, 6)
) WITH ('connector' = 'filesystem', 'path' = 'data/numbers.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 BOOLEAN, c2 BOOLEAN, c3 BOOLEAN, c4 BOOLEAN, c5 BOOLEAN, c6 BOOLEAN, c7 BOOLEAN,
  c8 BOOLEAN, c9 BOOLEAN, c10 BOOLEAN, c11 BOOLEAN, c12 BOOLEAN, c13 BOOLEAN, c14 BOOLEAN, c15 BOOLEAN,
  c16 BOOLEAN, c17 BOOLEAN, c18 BOOLEAN, c19 BOOLEAN, c20 BOOLEAN
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  i8 = i16,
  i32 < i64,
  i64 <= f64,
  dc > i32,
  dc >= f64,
  f32 <> f64,
  i8 <> 7,
  dc = 0,
  f64 = 0,
  i32 IS DISTINCT FROM i64,
  i8 IS NOT DISTINCT FROM CAST(NULL AS TINYINT),
  i32 BETWEEN -3 AND 70000,
  i32 NOT BETWEEN SYMMETRIC 70000 AND -3,
  i8 IN (7, 0, -7),
  i8 NOT IN (7, 0),
  (i8 > 0) IS TRUE,
  (i8 > 0) IS NOT FALSE,
  (i8 > 0) IS UNKNOWN,
  NOT (i8 > 0),
  (i8 > 0) = (i16 > 0)
FROM numbers;
