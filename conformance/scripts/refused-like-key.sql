-- LIKE: the base table's primary key is there already.
-- dialect: S5

CREATE TABLE base (id BIGINT, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'print');
CREATE TABLE a (x INT, PRIMARY KEY (x) NOT ENFORCED) LIKE base;
