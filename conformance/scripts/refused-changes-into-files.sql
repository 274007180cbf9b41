-- A sink that only takes new rows refuses changes.

CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE files (id INT, item STRING) WITH ('connector' = 'filesystem', 'path' = '/tmp/arus-conformance-none', 'format' = 'json');
INSERT INTO files SELECT id, item FROM stock;
