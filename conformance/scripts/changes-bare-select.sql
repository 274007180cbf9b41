-- Nobody needs -U of a bare SELECT's plan, its rows have them.

CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
SELECT id, shop FROM stock;
