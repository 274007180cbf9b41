-- CAST between numeric types: narrowing integers wraps, doubles and decimals truncate toward zero, DECIMAL that does
-- not fit is NULL, BOOLEAN to numbers.

CREATE TABLE numbers (
  id INT, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f32 FLOAT, f64 DOUBLE, dc DECIMAL(10, 2), dd DECIMAL(20, 6)
) WITH ('connector' = 'filesystem', 'path' = 'data/numbers.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 TINYINT, c2 SMALLINT, c3 INT, c4 BIGINT, c5 INT, c6 BIGINT, c7 TINYINT, c8 INT, c9 TINYINT,
  c10 FLOAT, c11 DOUBLE, c12 DOUBLE, c13 DECIMAL(5, 1), c14 DECIMAL(10, 1), c15 DECIMAL(12, 3),
  c16 DECIMAL(4, 1), c17 BOOLEAN, c18 INT, c19 DOUBLE, c20 FLOAT
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  CAST(i32 AS TINYINT),
  CAST(i64 AS SMALLINT),
  CAST(i64 AS INT),
  CAST(i8 AS BIGINT),
  CAST(f64 AS INT),
  CAST(f64 AS BIGINT),
  CAST(f32 AS TINYINT),
  CAST(dc AS INT),
  CAST(dc AS TINYINT),
  CAST(f64 AS FLOAT),
  CAST(f32 AS DOUBLE),
  CAST(dd AS DOUBLE),
  CAST(dc AS DECIMAL(5, 1)),
  CAST(dd AS DECIMAL(10, 1)),
  CAST(i32 AS DECIMAL(12, 3)),
  CAST(f32 AS DECIMAL(4, 1)),
  CAST(i32 AS BOOLEAN),
  CAST(i8 > 0 AS INT),
  CAST(i64 AS DOUBLE),
  CAST(i32 AS FLOAT)
FROM numbers;
