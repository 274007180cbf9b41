-- MIN, MAX and AVG over an aggregate: a retraction of the extreme value brings back the next one; integers, decimals
-- and doubles.

CREATE TABLE steps (k STRING, v INT) WITH ('connector' = 'filesystem', 'path' = 'data/steps.json', 'format' = 'json');
CREATE TABLE printed (low INT, high INT, mean INT, total INT, dec_total DECIMAL(38, 2), dbl_total DOUBLE, n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT MIN(total), MAX(total), AVG(total), SUM(total), SUM(CAST(total AS DECIMAL(10, 2))), SUM(CAST(total AS DOUBLE) / 4), COUNT(total)
FROM (SELECT k, SUM(v) AS total FROM steps GROUP BY k);
