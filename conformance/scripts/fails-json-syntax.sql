-- compare: end (rows before the failure may or may not be printed)
-- Text that is not JSON fails the job.

SET 'arus.exec.error-policy' = 'fail';
CREATE TABLE source (i INT, s STRING)
WITH ('connector' = 'filesystem', 'path' = 'data/loose.json', 'format' = 'json');
CREATE TABLE printed (i INT, s STRING) WITH ('connector' = 'print');
INSERT INTO printed SELECT i, s FROM source;
