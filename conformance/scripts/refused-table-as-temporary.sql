-- CREATE TEMPORARY TABLE AS.
-- dialect: S6

CREATE TEMPORARY TABLE t WITH ('connector' = 'print') AS SELECT 1 AS a;
