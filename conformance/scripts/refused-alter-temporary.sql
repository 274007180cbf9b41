-- ALTER TABLE of a temporary table.
-- dialect: S9

CREATE TEMPORARY TABLE t (a INT) WITH ('connector' = 'print');
ALTER TABLE t ADD b INT;
