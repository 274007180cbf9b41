-- A condition that is an expression over other columns.

SET 'table.exec.source.cdc-events-duplicate' = 'true';
CREATE TABLE stock (id INT NOT NULL, shop STRING, item STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = 'data/changes-twice.json', 'format' = 'debezium-json');
SELECT id, LOWER(shop) FROM stock WHERE UPPER(shop) LIKE 'N%' OR amount IS NULL;
