-- Options of csv that cannot be.

CREATE TABLE t (i INT, s STRING) WITH ('connector' = 'filesystem', 'path' = 'data/csv-plain.csv', 'format' = 'csv', 'csv.field-delimiter' = ';;');
CREATE TABLE printed (i INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT i FROM t;
