-- ROUND half up, away from zero, on integers, doubles and decimals with positive and negative places; FLOOR and CEIL
-- and their types.

CREATE TABLE numbers (
  id INT, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f32 FLOAT, f64 DOUBLE, dc DECIMAL(10, 2), dd DECIMAL(20, 6)
) WITH ('connector' = 'filesystem', 'path' = 'data/numbers.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 DECIMAL(9, 0), c2 DECIMAL(10, 1), c3 DECIMAL(9, 0), c4 DECIMAL(17, 2), c5 DOUBLE,
  c6 DOUBLE, c7 FLOAT, c8 INT, c9 BIGINT, c10 TINYINT, c11 DECIMAL(10, 0), c12 DECIMAL(10, 0),
  c13 DECIMAL(20, 0), c14 DECIMAL(20, 0), c15 DOUBLE, c16 DOUBLE, c17 FLOAT, c18 FLOAT, c19 INT,
  c20 BIGINT
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  ROUND(dc),
  ROUND(dc, 1),
  ROUND(dc, -2),
  ROUND(dd, 2),
  ROUND(f64),
  ROUND(f64, 1),
  ROUND(f32),
  ROUND(i32, -2),
  ROUND(i64, -1),
  ROUND(i8, -1),
  FLOOR(dc),
  CEIL(dc),
  FLOOR(dd),
  CEILING(dd),
  FLOOR(f64),
  CEIL(f64),
  FLOOR(f32),
  CEIL(f32),
  FLOOR(i32),
  CEIL(i64)
FROM numbers;
