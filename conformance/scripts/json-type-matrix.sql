-- Many JSON values, each read as many types; with json.ignore-parse-errors a value that is not of the type is NULL.

CREATE TABLE matrix (
  c0 TINYINT, c1 INT, c2 BIGINT, c3 FLOAT, c4 DOUBLE, c5 DECIMAL(6, 2), c6 BOOLEAN, c7 STRING,
  c8 CHAR(3), c9 VARCHAR(3), c11 DATE, c12 TIME(3), c13 TIMESTAMP(3), c14 TIMESTAMP_LTZ(3),
  c15 ARRAY<INT>, c16 MAP<STRING, INT>, c17 ROW<a INT>
) WITH ('connector' = 'filesystem', 'path' = 'data/json-matrix.json', 'format' = 'json', 'json.ignore-parse-errors' = 'true');
CREATE TABLE printed (
  c0 TINYINT, c1 INT, c2 BIGINT, c3 FLOAT, c4 DOUBLE, c5 DECIMAL(6, 2), c6 BOOLEAN, c7 STRING,
  c8 CHAR(3), c9 VARCHAR(3), c11 DATE, c12 TIME(3), c13 TIMESTAMP(3), c14 TIMESTAMP_LTZ(3),
  c15 ARRAY<INT>, c16 MAP<STRING, INT>, c17 ROW<a INT>
) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM matrix;
