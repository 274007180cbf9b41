-- AND, OR, CASE and IF guard their operands: a division by zero on a side that is not needed does not fail (COALESCE
-- and IFNULL evaluate all of theirs).

CREATE TABLE numbers (
  id INT, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f32 FLOAT, f64 DOUBLE, dc DECIMAL(10, 2), dd DECIMAL(20, 6)
) WITH ('connector' = 'filesystem', 'path' = 'data/numbers.json', 'format' = 'json');
CREATE TABLE printed (id INT, a BOOLEAN, b BOOLEAN, c INT, d INT, e INT, f BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  i32 <> 0 AND 100 / i32 > 1,
  i32 = 0 OR 100 / i32 > 1,
  CASE WHEN i32 = 0 THEN -1 ELSE 100 / i32 END,
  IF(i32 = 0, -1, 100 % i32),
  CASE i32 WHEN 0 THEN 0 WHEN -3 THEN 100 / (i32 + 3 - 3) ELSE 1000 / i32 END,
  IF(id = 4, 5, IF(id = 3, 100 / (id - 3 + 1), i64))
FROM numbers;
INSERT INTO printed SELECT id, TRUE, TRUE, 100 / i32, 0, 0, 0 FROM numbers WHERE i32 <> 0 AND 100 / i32 <> 77;
