-- A sink whose key is the group's.

CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (shop STRING, n BIGINT, PRIMARY KEY (shop) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT shop, COUNT(*) FROM stock WHERE shop IS NOT NULL GROUP BY shop;
