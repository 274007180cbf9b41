-- Expressions over every kind of change; equal versions are told again.

CREATE TABLE stock (id INT NOT NULL, shop STRING, item STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (id INT, word STRING, more INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT id, UPPER(COALESCE(item, 'none')), amount * 2 FROM stock;
