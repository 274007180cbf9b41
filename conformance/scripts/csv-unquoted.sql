-- csv without quotes, with a control character as delimiter written as in Java.

CREATE TABLE t (i INT, s STRING, d DOUBLE)
WITH ('connector' = 'filesystem', 'path' = 'data/csv-unquoted.csv', 'format' = 'csv', 'csv.disable-quote-character' = 'true',
  'csv.field-delimiter' = '\u0001');
CREATE TABLE printed (d DOUBLE, i INT, s STRING) WITH ('connector' = 'print');
INSERT INTO printed SELECT d, i, s FROM t;
