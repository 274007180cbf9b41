-- A condition on the key goes below, the other one in.

SET 'table.exec.source.cdc-events-duplicate' = 'true';
CREATE TABLE stock (id INT NOT NULL, shop STRING, item STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = 'data/changes-twice.json', 'format' = 'debezium-json');
CREATE TABLE printed (id INT, amount INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT id, amount FROM stock WHERE id < 4 AND amount > 2;
