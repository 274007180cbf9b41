-- Numbers at their limits; doubles and floats print as Java prints them; decimals keep their scale.

CREATE TABLE numbers (
  id INT, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f32 FLOAT, f64 DOUBLE, dc DECIMAL(10, 2), dd DECIMAL(20, 6)
) WITH ('connector' = 'filesystem', 'path' = 'data/numbers.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f32 FLOAT, f64 DOUBLE, dc DECIMAL(10, 2), dd DECIMAL(20, 6)
) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM numbers;
