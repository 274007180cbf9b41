-- compare: end (rows before the failure may or may not be printed)
-- A NULL in the time attribute fails the job.

SET 'arus.exec.error-policy' = 'fail';
CREATE TABLE events (id INT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at`)
WITH ('connector' = 'filesystem', 'path' = 'data/null-time.json', 'format' = 'json');
CREATE TABLE printed (id INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT id FROM events;
