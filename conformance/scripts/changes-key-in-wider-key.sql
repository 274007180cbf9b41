-- The query's key lies within the sink's.

CREATE TABLE stock (id INT NOT NULL, shop STRING, item STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (id INT, shop STRING, n INT, PRIMARY KEY (id, shop) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT id, COALESCE(shop, '?'), amount FROM stock;
