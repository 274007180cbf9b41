-- One group over changes.

CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
SELECT COUNT(amount), SUM(amount), AVG(amount) FROM stock;
