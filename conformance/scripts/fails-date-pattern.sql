-- compare: end (rows before the failure may or may not be printed)
-- A pattern of a column that SimpleDateFormat does not know stops the job.

SET 'arus.exec.error-policy' = 'fail';
CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT FROM_UNIXTIME(l, 'bogus' || t) FROM edge;
