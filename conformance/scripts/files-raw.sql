-- The raw format writes each value as a line.

SET 'table.dml-sync' = 'true';
CREATE TABLE files (s STRING) WITH ('connector' = 'filesystem', 'path' = 'scratch/raw', 'format' = 'raw');
INSERT INTO files VALUES ('one'), ('ü😀'), ('');
SELECT s, CHAR_LENGTH(s) FROM files;
