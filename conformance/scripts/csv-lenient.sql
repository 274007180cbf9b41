-- csv with csv.ignore-parse-errors: fields that cannot be read are NULL, records with too many fields or a wrong quote are
-- passed over, an empty line is a record of one empty field.

CREATE TABLE t (i INT, s STRING, d DOUBLE, b BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = 'data/csv-lenient.csv', 'format' = 'csv', 'csv.ignore-parse-errors' = 'true');
CREATE TABLE printed (i INT, s STRING, d DOUBLE, b BOOLEAN) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM t;
