-- compare: end (rows before the failure may or may not be printed)
-- json.fail-on-missing-field fails the job at the first record without the field.

SET 'arus.exec.error-policy' = 'fail';
CREATE TABLE source (i INT, s STRING)
WITH ('connector' = 'filesystem', 'path' = 'data/missing.json', 'format' = 'json', 'json.fail-on-missing-field' = 'true');
CREATE TABLE printed (i INT, s STRING) WITH ('connector' = 'print');
INSERT INTO printed SELECT i, s FROM source;
