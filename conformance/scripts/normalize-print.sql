-- Events that come twice are told once; deletions of rows that are not there are dropped.

SET 'table.exec.source.cdc-events-duplicate' = 'true';
CREATE TABLE stock (id INT NOT NULL, shop STRING, item STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = 'data/changes-twice.json', 'format' = 'debezium-json');
CREATE TABLE printed (id INT, shop STRING, item STRING, amount INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM stock;
