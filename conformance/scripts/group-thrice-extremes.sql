-- Grouped thrice with MIN, MAX and AVG over values that go up and down.

CREATE TABLE steps (k STRING, v INT)
WITH ('connector' = 'filesystem', 'path' = 'data/steps.json', 'format' = 'json');
SELECT big, COUNT(*), MIN(hi), MAX(lo), AVG(hi) FROM (
  SELECT hi, lo, hi > 5 AS big FROM (SELECT k, MAX(v) AS hi, MIN(v) AS lo FROM steps GROUP BY k)
) GROUP BY big;
