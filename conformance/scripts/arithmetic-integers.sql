-- Integer arithmetic: the type of the wider operand, overflow wraps, division truncates toward zero, the type of a
-- remainder is that of its second operand.

CREATE TABLE numbers (
  id INT, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f32 FLOAT, f64 DOUBLE, dc DECIMAL(10, 2), dd DECIMAL(20, 6)
) WITH ('connector' = 'filesystem', 'path' = 'data/numbers.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 TINYINT, c2 SMALLINT, c3 INT, c4 BIGINT, c5 INT, c6 BIGINT, c7 TINYINT, c8 INT, c9 BIGINT,
  c10 TINYINT, c11 INT, c12 BIGINT, c13 INT, c14 INT, c15 TINYINT, c16 TINYINT, c17 BIGINT, c18 INT,
  c19 BIGINT, c20 TINYINT
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  i8 + i8,
  i8 + i16,
  i32 + 1,
  i64 + i32,
  i32 - i16,
  i64 - 1,
  i8 * i8,
  i32 * i32,
  i64 * i64,
  i8 / CAST(2 AS TINYINT),
  i32 / 7,
  i64 / -1,
  i32 % 7,
  MOD(i16, -7),
  MOD(i64, CAST(10 AS TINYINT)),
  -i8,
  -i64,
  ABS(i32),
  ABS(i64),
  ABS(i8)
FROM numbers;
