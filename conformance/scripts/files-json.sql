-- What the filesystem sink writes as JSON: read back as rows, and as the lines that they are.

SET 'table.dml-sync' = 'true';
CREATE TABLE files (id INT NOT NULL, s STRING, d DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, ts TIMESTAMP(3), dt DATE, tm TIME,
  a ARRAY<INT>, m MAP<STRING, INT>, r ROW<x INT, y STRING>, bin BYTES)
WITH ('connector' = 'filesystem', 'path' = 'scratch/json', 'format' = 'json');
CREATE TABLE text_of (line STRING) WITH ('connector' = 'filesystem', 'path' = 'scratch/json', 'format' = 'raw');
INSERT INTO files VALUES
  (1, 'plain', 1.5, 2.50, TRUE, TIMESTAMP '2024-02-29 12:34:56.789', DATE '2024-02-29', TIME '12:34:56', ARRAY[1, 2], MAP['k', 1], ROW(1, 'y'), x'01ff'),
  (2, 'quote " back \ tab 	 ü😀', 1e23, -0.01, FALSE, TIMESTAMP '1969-12-31 23:59:59.000', DATE '1969-12-31', TIME '00:00:00', ARRAY[CAST(NULL AS INT)], MAP['a', CAST(NULL AS INT)], ROW(CAST(NULL AS INT), ''), x''),
  (3, CAST(NULL AS STRING), CAST(NULL AS DOUBLE), CAST(NULL AS DECIMAL(10, 2)), CAST(NULL AS BOOLEAN), CAST(NULL AS TIMESTAMP(3)), CAST(NULL AS DATE), CAST(NULL AS TIME), CAST(NULL AS ARRAY<INT>), CAST(NULL AS MAP<STRING, INT>), CAST(NULL AS ROW<x INT, y STRING>), CAST(NULL AS BYTES));
SELECT * FROM files;
SELECT * FROM text_of;
