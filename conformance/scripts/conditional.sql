-- CASE in both forms, IF, COALESCE, NULLIF, GREATEST, LEAST: which branch, which common type, what NULL does.

CREATE TABLE numbers (
  id INT, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f32 FLOAT, f64 DOUBLE, dc DECIMAL(10, 2), dd DECIMAL(20, 6)
) WITH ('connector' = 'filesystem', 'path' = 'data/numbers.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 STRING, c2 STRING, c3 DECIMAL(11, 1), c4 DOUBLE, c5 DECIMAL(20, 6), c6 BIGINT, c7 STRING,
  c8 INT, c9 BIGINT, c10 INT, c11 INT, c12 BIGINT, c13 BIGINT, c14 DOUBLE, c15 DECIMAL(10, 2),
  c16 STRING, c17 INT
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  CASE WHEN i8 > 0 THEN 'pos' WHEN i8 < 0 THEN 'negative' WHEN i8 = 0 THEN '0' END,
  CASE i32 WHEN 0 THEN 'zero' WHEN -3 THEN 'three' ELSE 'many' END,
  CASE WHEN i8 > 0 THEN i32 ELSE 2.5 END,
  CASE WHEN i8 > 0 THEN dc ELSE f64 END,
  CASE WHEN i8 > 0 THEN dc ELSE dd END,
  IF(i8 > 0, i32, i64),
  IF(i8 > 0, 'yes', 'nope'),
  COALESCE(i32, 5),
  COALESCE(i32, i64, 1),
  NULLIF(i32, 0),
  NULLIF(i32, i8),
  GREATEST(i8, i32, i64),
  LEAST(i8, i32, i64),
  GREATEST(f64, i32),
  LEAST(dc, CAST(5 AS DECIMAL(10, 2))),
  GREATEST('a', CAST(i8 AS STRING), 'B'),
  CASE WHEN i8 > 0 THEN NULL ELSE 1 END
FROM numbers;
