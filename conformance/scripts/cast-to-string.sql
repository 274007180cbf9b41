-- CAST of each simple type to STRING, CHAR and VARCHAR: text, cutting and padding.

CREATE TABLE numbers (
  id INT, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f32 FLOAT, f64 DOUBLE, dc DECIMAL(10, 2), dd DECIMAL(20, 6)
) WITH ('connector' = 'filesystem', 'path' = 'data/numbers.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 STRING, c2 STRING, c3 STRING, c4 STRING, c5 STRING, c6 STRING, c7 STRING, c8 STRING,
  c9 CHAR(6), c10 VARCHAR(3), c11 STRING, c12 CHAR(3)
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  CAST(i8 AS STRING),
  CAST(i16 AS STRING),
  CAST(i32 AS STRING),
  CAST(i64 AS STRING),
  CAST(f32 AS STRING),
  CAST(f64 AS STRING),
  CAST(dc AS STRING),
  CAST(dd AS STRING),
  CAST(i32 AS CHAR(6)),
  CAST(dc AS VARCHAR(3)),
  CAST(i8 > 0 AS STRING),
  CAST(i8 > 0 AS CHAR(3))
FROM numbers;
