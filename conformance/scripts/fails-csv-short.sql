-- compare: end (rows before the failure may or may not be printed)
-- A record with fewer fields than columns are read fails the job.

SET 'arus.exec.error-policy' = 'fail';
CREATE TABLE t (i INT, s STRING, d DOUBLE, b BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = 'data/csv-short.csv', 'format' = 'csv');
CREATE TABLE printed (i INT, s STRING, d DOUBLE, b BOOLEAN) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM t;
