-- VAR_POP, VAR_SAMP, VARIANCE, STDDEV_POP, STDDEV_SAMP, STDDEV of each number type: the result has the type of AVG.

CREATE TABLE numbers (
  id INT, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f32 FLOAT, f64 DOUBLE, dc DECIMAL(10, 2), dd DECIMAL(20, 6)
) WITH ('connector' = 'filesystem', 'path' = 'data/numbers.json', 'format' = 'json');
SELECT STDDEV_POP(i8), VAR_SAMP(i16), VAR_POP(i32), STDDEV(i64), STDDEV_SAMP(f32), VARIANCE(dc), VAR_POP(dd) FROM numbers WHERE id <> 2 AND id <> 3;
