-- TRUNCATE TABLE in streaming.
-- dialect: S13

CREATE TABLE t (a INT) WITH ('connector' = 'print');
TRUNCATE TABLE t;
