-- ALTER TABLE DROP of a key column.
-- dialect: S9

CREATE TABLE t (a INT, b INT, PRIMARY KEY (a) NOT ENFORCED) WITH ('connector' = 'print');
ALTER TABLE t DROP a;
