-- The key is read though the query does not name it.

SET 'table.exec.source.cdc-events-duplicate' = 'true';
CREATE TABLE stock (id INT NOT NULL, shop STRING, item STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = 'data/changes-twice.json', 'format' = 'debezium-json');
SELECT item FROM stock;
