-- The options of JSON that writing knows: nulls left out, plain numbers, ISO times, keys that are null.

SET 'table.dml-sync' = 'true';
CREATE TABLE files (id INT, s STRING, dc DECIMAL(38, 20), ts TIMESTAMP(3), z TIMESTAMP_LTZ(3), m MAP<STRING, INT>)
WITH ('connector' = 'filesystem', 'path' = 'scratch/json', 'format' = 'json', 'json.encode.ignore-null-fields' = 'true',
  'json.encode.decimal-as-plain-number' = 'true', 'json.timestamp-format.standard' = 'ISO-8601',
  'json.map-null-key.mode' = 'LITERAL', 'json.map-null-key.literal' = 'none');
CREATE TABLE text_of (line STRING) WITH ('connector' = 'filesystem', 'path' = 'scratch/json', 'format' = 'raw');
INSERT INTO files VALUES
  (1, CAST(NULL AS STRING), 0.00000000000000000001, TIMESTAMP '2024-02-29 12:34:56.789', TO_TIMESTAMP_LTZ(0, 3), MAP[CAST(NULL AS STRING), 7]),
  (2, 'x', 100000000000000000, CAST(NULL AS TIMESTAMP(3)), CAST(NULL AS TIMESTAMP_LTZ(3)), CAST(NULL AS MAP<STRING, INT>));
SELECT * FROM text_of;
SELECT * FROM files;
