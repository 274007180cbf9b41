-- A record with fewer fields is enough where a query reads as few columns; what is missing is NULL.

CREATE TABLE t (i INT, s STRING, d DOUBLE, b BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = 'data/csv-short.csv', 'format' = 'csv');
CREATE TABLE printed (i INT, d DOUBLE) WITH ('connector' = 'print');
INSERT INTO printed SELECT i, d FROM t;
