-- The same without a key, as a bare query with MIN and MAX.

CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
SELECT shop, MIN(amount), MAX(item) FROM stock GROUP BY shop;
