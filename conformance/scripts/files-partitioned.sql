-- A partitioned sink: the folders say the values, the files hold the other columns.

SET 'table.dml-sync' = 'true';
CREATE TABLE files (id INT, day_of STRING, n INT) PARTITIONED BY (day_of, n)
WITH ('connector' = 'filesystem', 'path' = 'scratch/parts', 'format' = 'json');
CREATE TABLE first_part (line STRING) WITH ('connector' = 'filesystem', 'path' = 'scratch/parts/day_of=mon/n=1', 'format' = 'raw');
CREATE TABLE second_part (line STRING) WITH ('connector' = 'filesystem', 'path' = 'scratch/parts/day_of=tue/n=2', 'format' = 'raw');
CREATE TABLE null_part (line STRING) WITH ('connector' = 'filesystem', 'path' = 'scratch/parts/day_of=__DEFAULT_PARTITION__/n=1', 'format' = 'raw');
INSERT INTO files VALUES (1, 'mon', 1), (2, 'tue', 2), (3, 'mon', 1), (4, CAST(NULL AS STRING), 1);
SELECT * FROM first_part;
SELECT * FROM second_part;
SELECT * FROM null_part;
