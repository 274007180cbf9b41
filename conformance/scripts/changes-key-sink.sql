-- Source and sink have the same key.

CREATE TABLE stock (id INT NOT NULL, shop STRING, item STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (id INT, item STRING, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT id, item FROM stock;
