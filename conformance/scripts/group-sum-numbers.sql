-- SUM keeps the type of integers (and wraps), of FLOAT and DOUBLE, and widens DECIMAL to 38 digits; NULL is left out;
-- a group of NULLs is NULL.

CREATE TABLE numbers (
  id INT, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f32 FLOAT, f64 DOUBLE, dc DECIMAL(10, 2), dd DECIMAL(20, 6)
) WITH ('connector' = 'filesystem', 'path' = 'data/numbers.json', 'format' = 'json');
CREATE TABLE printed (odd INT, s_i8 TINYINT, s_i16 SMALLINT, s_i32 INT, s_i64 BIGINT, s_f32 FLOAT, s_f64 DOUBLE, s_dc DECIMAL(38, 2), s_dd DECIMAL(38, 6)) WITH ('connector' = 'print');
INSERT INTO printed SELECT MOD(id, 2), SUM(i8), SUM(i16), SUM(i32), SUM(i64), SUM(f32), SUM(f64), SUM(dc), SUM(dd) FROM numbers GROUP BY MOD(id, 2);
