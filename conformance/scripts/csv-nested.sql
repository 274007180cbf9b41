-- csv with ARRAY and ROW in a field, a null literal, comments, an escape character and other delimiters.

CREATE TABLE t (i BIGINT, s STRING, a ARRAY<STRING>, an ARRAY<INT>, r ROW<x INT, y STRING>, n DECIMAL(10, 3), y BYTES)
WITH ('connector' = 'filesystem', 'path' = 'data/csv-nested.csv', 'format' = 'csv', 'csv.ignore-parse-errors' = 'true',
  'csv.null-literal' = 'n/a', 'csv.allow-comments' = 'true', 'csv.field-delimiter' = '|', 'csv.escape-character' = '\',
  'csv.array-element-delimiter' = ':');
CREATE TABLE printed (i BIGINT, s STRING, a ARRAY<STRING>, an ARRAY<INT>, r ROW<x INT, y STRING>, n DECIMAL(10, 3), y BYTES)
WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM t;
