-- Two readers, each with its own state.
-- compare: multiset (two branches interleave freely)

SET 'table.exec.source.cdc-events-duplicate' = 'true';
CREATE TABLE stock (id INT NOT NULL, shop STRING, item STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = 'data/changes-twice.json', 'format' = 'debezium-json');
SELECT id, shop FROM stock WHERE amount > 2 UNION ALL SELECT id, item FROM stock;
