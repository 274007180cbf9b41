-- csv by Flink's rules: quotes, doubled quotes, line ends in quotes, blanks, carriage returns; projections.

CREATE TABLE t (i INT, s STRING, d DOUBLE, b BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = 'data/csv-plain.csv', 'format' = 'csv');
CREATE TABLE printed (i INT, s STRING, d DOUBLE, b BOOLEAN) WITH ('connector' = 'print');
CREATE TABLE other (d DOUBLE, i BIGINT) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM t;
INSERT INTO other SELECT d, i + 1 FROM t WHERE b;
INSERT INTO other (i) SELECT COUNT(*) FROM t;
