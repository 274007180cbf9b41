-- ALTER VIEW of a table.
-- dialect: S9

CREATE TABLE t (a INT) WITH ('connector' = 'print');
ALTER VIEW t AS SELECT 1;
