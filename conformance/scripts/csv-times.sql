-- Dates, times, timestamps and small numbers in csv.

CREATE TABLE t (d DATE, t TIME(3), ts TIMESTAMP(3), ts9 TIMESTAMP(9), l TIMESTAMP_LTZ(3), f FLOAT, ti TINYINT, si SMALLINT)
WITH ('connector' = 'filesystem', 'path' = 'data/csv-times.csv', 'format' = 'csv', 'csv.ignore-parse-errors' = 'true');
CREATE TABLE printed (d DATE, t TIME(3), ts TIMESTAMP(3), ts9 TIMESTAMP(9), l TIMESTAMP_LTZ(3), f FLOAT, ti TINYINT, si SMALLINT)
WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM t;
