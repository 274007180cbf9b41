-- With a state TTL a touched group is told again though nothing changed.

CREATE TABLE steps (k STRING, v INT)
WITH ('connector' = 'filesystem', 'path' = 'data/steps.json', 'format' = 'json');
SET 'table.exec.state.ttl' = '1 h';
SELECT k, MAX(v) FROM steps GROUP BY k;
SELECT DISTINCT k FROM steps;
