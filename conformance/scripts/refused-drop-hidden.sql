-- DROP TABLE while a temporary one hides it.
-- dialect: S10

CREATE TABLE t (a INT) WITH ('connector' = 'print');
CREATE TEMPORARY TABLE t (a INT) WITH ('connector' = 'print');
DROP TABLE t;
