-- Materialisation though the keys are the same.

CREATE TABLE stock (id INT NOT NULL, shop STRING, item STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
SET 'table.exec.sink.upsert-materialize' = 'FORCE';
CREATE TABLE printed (id INT, item STRING, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT id, item FROM stock;
