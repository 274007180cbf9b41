-- CUBE of three with GROUPING_ID and GROUP_ID.

CREATE TABLE steps (k STRING, v INT)
WITH ('connector' = 'filesystem', 'path' = 'data/steps.json', 'format' = 'json');
SELECT k, v, v > 4 AS big, COUNT(*), GROUPING_ID(k, v, v > 4), GROUP_ID() FROM steps GROUP BY CUBE(k, v, v > 4);
