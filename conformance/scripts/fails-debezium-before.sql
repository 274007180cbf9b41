-- An event without what its operation needs ends a job that fails on errors.

SET 'arus.exec.error-policy' = 'fail';
CREATE TABLE goods (id INT, name STRING)
WITH ('connector' = 'filesystem', 'path' = 'data/debezium-before.json', 'format' = 'debezium-json');
CREATE TABLE printed (id INT, name STRING) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM goods;
