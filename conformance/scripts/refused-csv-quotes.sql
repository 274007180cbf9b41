-- Options of csv that cannot be.

CREATE TABLE t (i INT, s STRING) WITH ('connector' = 'filesystem', 'path' = 'data/csv-plain.csv', 'format' = 'csv', 'csv.disable-quote-character' = 'true', 'csv.quote-character' = 'x');
CREATE TABLE printed (i INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT i FROM t;
