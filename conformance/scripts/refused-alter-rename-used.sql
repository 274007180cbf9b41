-- ALTER TABLE RENAME of a column that the watermark reads.
-- dialect: S9

CREATE TABLE t (a TIMESTAMP(3), WATERMARK FOR a AS a) WITH ('connector' = 'print');
ALTER TABLE t RENAME a TO b;
