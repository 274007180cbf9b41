-- The whole truth tables of AND, OR, NOT and the IS tests, computed from a column.

CREATE TABLE flags (a BOOLEAN, b BOOLEAN) WITH ('connector' = 'filesystem', 'path' = 'data/flags.json', 'format' = 'json');
CREATE TABLE printed (a BOOLEAN, b BOOLEAN, x BOOLEAN, o BOOLEAN, n BOOLEAN, t BOOLEAN, f BOOLEAN, u BOOLEAN, e BOOLEAN, d BOOLEAN, l BOOLEAN) WITH ('connector' = 'print');
INSERT INTO printed SELECT a, b, a AND b, a OR b, NOT a, a IS TRUE, a IS NOT FALSE, a IS UNKNOWN, a = b, a IS DISTINCT FROM b, a < b FROM flags;
