-- FLOAT and DOUBLE arithmetic: the first of FLOAT and DOUBLE decides the type; division by zero gives Infinity and
-- NaN.

CREATE TABLE numbers (
  id INT, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f32 FLOAT, f64 DOUBLE, dc DECIMAL(10, 2), dd DECIMAL(20, 6)
) WITH ('connector' = 'filesystem', 'path' = 'data/numbers.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 FLOAT, c2 DOUBLE, c3 DOUBLE, c4 DOUBLE, c5 FLOAT, c6 DOUBLE, c7 DOUBLE, c8 DOUBLE,
  c9 DOUBLE, c10 DOUBLE, c11 FLOAT, c12 DOUBLE, c13 FLOAT, c14 DOUBLE
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  f32 + f32,
  f64 + f64,
  f64 * f64,
  f64 - f32,
  f32 / i32,
  f64 / i32,
  f64 / f64,
  f64 + i64,
  f32 + dc,
  -f64,
  -f32,
  ABS(f64),
  ABS(f32),
  i64 * 1E0
FROM numbers;
