-- Windows into files, and an aggregate over the files that they have made.

SET 'table.dml-sync' = 'true';
CREATE TABLE src (id INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)
WITH ('connector' = 'filesystem', 'path' = 'data/files-window.json', 'format' = 'json');
CREATE TABLE files (window_start TIMESTAMP(3), n BIGINT, total BIGINT) WITH ('connector' = 'filesystem', 'path' = 'scratch/windows', 'format' = 'csv');
INSERT INTO files SELECT window_start, COUNT(*), CAST(SUM(id) AS BIGINT)
FROM TABLE(TUMBLE(TABLE src, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end;
SELECT * FROM files;
SELECT SUM(n), MAX(window_start) FROM files;
