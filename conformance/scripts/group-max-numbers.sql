-- MAX of each numeric type.

CREATE TABLE numbers (
  id INT, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f32 FLOAT, f64 DOUBLE, dc DECIMAL(10, 2), dd DECIMAL(20, 6)
) WITH ('connector' = 'filesystem', 'path' = 'data/numbers.json', 'format' = 'json');
CREATE TABLE printed (odd INT, s_i8 TINYINT, s_i16 SMALLINT, s_i32 INT, s_i64 BIGINT, s_f32 FLOAT, s_f64 DOUBLE, s_dc DECIMAL(10, 2), s_dd DECIMAL(20, 6)) WITH ('connector' = 'print');
INSERT INTO printed SELECT MOD(id, 2), MAX(i8), MAX(i16), MAX(i32), MAX(i64), MAX(f32), MAX(f64), MAX(dc), MAX(dd) FROM numbers GROUP BY MOD(id, 2);
