-- What the filesystem sink writes as CSV, with other delimiters and quotes: the lines, and the rows read back.

SET 'table.dml-sync' = 'true';
CREATE TABLE files (id INT, s STRING, d DOUBLE, b BOOLEAN, ts TIMESTAMP(3), a ARRAY<STRING>)
WITH ('connector' = 'filesystem', 'path' = 'scratch/csv', 'format' = 'csv', 'csv.field-delimiter' = ';',
  'csv.null-literal' = 'none', 'csv.array-element-delimiter' = '|');
CREATE TABLE text_of (line STRING) WITH ('connector' = 'filesystem', 'path' = 'scratch/csv', 'format' = 'raw');
INSERT INTO files VALUES
  (1, 'plain', 1.5, TRUE, TIMESTAMP '2024-02-29 12:34:56.789', ARRAY['a', 'b']),
  (2, 'semi;colon and "quotes"', -0.0, FALSE, TIMESTAMP '1969-12-31 23:59:59.000', ARRAY['x']),
  (3, CAST(NULL AS STRING), CAST(NULL AS DOUBLE), CAST(NULL AS BOOLEAN), CAST(NULL AS TIMESTAMP(3)), CAST(NULL AS ARRAY<STRING>)),
  (4, '', 1e-10, TRUE, TIMESTAMP '2024-01-01 00:00:00.000', ARRAY['']);
SELECT * FROM text_of;
SELECT * FROM files;
