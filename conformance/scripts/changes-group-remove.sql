-- GROUP BY the source's own key.

CREATE TABLE stock (id INT NOT NULL, shop STRING, item STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
SELECT id, shop, SUM(amount) FROM stock GROUP BY id, shop;
