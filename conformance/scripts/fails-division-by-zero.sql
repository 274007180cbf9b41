-- compare: end (rows before the failure may or may not be printed)
-- An integer divided by zero fails the job.

SET 'arus.exec.error-policy' = 'fail';
CREATE TABLE numbers (
  id INT, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f32 FLOAT, f64 DOUBLE, dc DECIMAL(10, 2), dd DECIMAL(20, 6)
) WITH ('connector' = 'filesystem', 'path' = 'data/numbers.json', 'format' = 'json');
CREATE TABLE printed (a INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT 1 / i32 FROM numbers;
