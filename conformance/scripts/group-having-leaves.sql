-- HAVING on a value that rises above its bound and falls below it again: the group comes (+U, or +I with its first
-- row) and goes (-U) more than once.

CREATE TABLE steps (k STRING, v INT) WITH ('connector' = 'filesystem', 'path' = 'data/steps.json', 'format' = 'json');
CREATE TABLE printed (k STRING, total INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT k, SUM(v) FROM steps GROUP BY k HAVING SUM(v) > 10;
