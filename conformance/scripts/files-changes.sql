-- A changelog written as debezium-json, and read back as one.

SET 'table.dml-sync' = 'true';
SET 'arus.changelog.compaction' = 'off';
CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE files (shop STRING, n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'scratch/changes', 'format' = 'debezium-json');
CREATE TABLE text_of (line STRING) WITH ('connector' = 'filesystem', 'path' = 'scratch/changes', 'format' = 'raw');
INSERT INTO files SELECT shop, COUNT(*) FROM stock GROUP BY shop;
SELECT * FROM text_of;
SELECT * FROM files;
