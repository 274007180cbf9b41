-- CSV without quotes, and its defaults, as text.

SET 'table.dml-sync' = 'true';
CREATE TABLE files (id INT, s STRING, dc DECIMAL(10, 3), dt DATE, tm TIME, bin BYTES)
WITH ('connector' = 'filesystem', 'path' = 'scratch/csv', 'format' = 'csv', 'csv.disable-quote-character' = 'true');
CREATE TABLE quoted (id INT, s STRING) WITH ('connector' = 'filesystem', 'path' = 'scratch/quoted', 'format' = 'csv', 'csv.quote-character' = '%');
CREATE TABLE text_of (line STRING) WITH ('connector' = 'filesystem', 'path' = 'scratch/csv', 'format' = 'raw');
CREATE TABLE quoted_text (line STRING) WITH ('connector' = 'filesystem', 'path' = 'scratch/quoted', 'format' = 'raw');
INSERT INTO files VALUES (1, 'say "hi"', 1.500, DATE '2024-02-29', TIME '12:34:56', x'0102'), (2, ' spaces ', -0.001, DATE '1969-12-31', TIME '00:00:01', x'ff');
INSERT INTO quoted VALUES (1, 'a,b'), (2, 'it%s'), (3, ' lead'), (4, 'plain');
SELECT * FROM text_of;
SELECT * FROM quoted_text;
SELECT * FROM quoted;
