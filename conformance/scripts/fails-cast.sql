-- compare: end (rows before the failure may or may not be printed)
-- CAST of text that is no number fails the job.

SET 'arus.exec.error-policy' = 'fail';
CREATE TABLE texts (id INT, s STRING, t STRING, n INT)
WITH ('connector' = 'filesystem', 'path' = 'data/texts.json', 'format' = 'json');
CREATE TABLE printed (a INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT CAST(s AS INT) FROM texts;
