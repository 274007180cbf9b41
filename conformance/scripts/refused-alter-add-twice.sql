-- ALTER TABLE ADD of a column that is there.
-- dialect: S9

CREATE TABLE t (a INT) WITH ('connector' = 'print');
ALTER TABLE t ADD a INT;
