-- compare: end (rows before the failure may or may not be printed)
-- An empty field is no number.

SET 'arus.exec.error-policy' = 'fail';
CREATE TABLE t (i INT, s STRING, d DOUBLE, b BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = 'data/csv-lenient.csv', 'format' = 'csv');
CREATE TABLE printed (i INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT i FROM t;
