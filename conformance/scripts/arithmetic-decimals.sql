-- DECIMAL arithmetic: derived precision and scale, rounding half up, NULL where the result does not fit.

CREATE TABLE numbers (
  id INT, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f32 FLOAT, f64 DOUBLE, dc DECIMAL(10, 2), dd DECIMAL(20, 6)
) WITH ('connector' = 'filesystem', 'path' = 'data/numbers.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 DECIMAL(11, 2), c2 DECIMAL(21, 6), c3 DECIMAL(11, 2), c4 DECIMAL(21, 4), c5 DECIMAL(38,
  9), c6 DECIMAL(21, 13), c7 DECIMAL(38, 18), c8 DECIMAL(13, 2), c9 DECIMAL(22, 2), c10 DECIMAL(38,
  6), c11 DECIMAL(10, 2), c12 DECIMAL(10, 2), c13 DECIMAL(10, 2), c14 DECIMAL(20, 6), c15 DECIMAL(12,
  1), c16 DECIMAL(23, 11)
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  dc + dc,
  dc + dd,
  dc - 0.5,
  dc * dc,
  dd * dd,
  dc / 3,
  dd / 7.000000,
  dc + i32,
  dc + i64,
  dd * i64,
  dc % 7,
  MOD(dc, 0.30),
  -dc,
  ABS(dd),
  i32 + 0.5,
  i32 / 12345678.91
FROM numbers;
