-- Into a sink of the same key.

SET 'table.exec.source.cdc-events-duplicate' = 'true';
CREATE TABLE stock (id INT NOT NULL, shop STRING, item STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = 'data/changes-twice.json', 'format' = 'debezium-json');
CREATE TABLE printed (id INT, item STRING, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT id, item FROM stock;
