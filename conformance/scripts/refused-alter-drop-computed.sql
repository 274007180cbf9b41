-- ALTER TABLE DROP of a column that a computed one reads.
-- dialect: S9

CREATE TABLE t (a INT, b AS a + 1) WITH ('connector' = 'print');
ALTER TABLE t DROP a;
