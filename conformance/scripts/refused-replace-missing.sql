-- REPLACE TABLE AS of a table that is not there.
-- dialect: S6

REPLACE TABLE t WITH ('connector' = 'print') AS SELECT 1 AS a;
