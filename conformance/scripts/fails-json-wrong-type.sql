-- compare: end (rows before the failure may or may not be printed)
-- A JSON value that is not of the type of its column fails the job.

SET 'arus.exec.error-policy' = 'fail';
CREATE TABLE source (i INT, s STRING)
WITH ('connector' = 'filesystem', 'path' = 'data/wrong-type.json', 'format' = 'json');
CREATE TABLE printed (i INT, s STRING) WITH ('connector' = 'print');
INSERT INTO printed SELECT i, s FROM source;
