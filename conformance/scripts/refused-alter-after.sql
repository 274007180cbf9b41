-- ALTER TABLE ADD .. AFTER a column that is not there.
-- dialect: S9

CREATE TABLE t (a INT) WITH ('connector' = 'print');
ALTER TABLE t ADD b INT AFTER c;
