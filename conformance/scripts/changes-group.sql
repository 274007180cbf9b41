-- Groups over changes: retractions, a NULL group, groups that end and come again.

CREATE TABLE stock (id INT NOT NULL, shop STRING, item STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (shop STRING, n BIGINT, total INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT shop, COUNT(*), SUM(amount) FROM stock GROUP BY shop;
