-- The key goes through a cast and another name.

CREATE TABLE stock (id INT NOT NULL, shop STRING, item STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (nr BIGINT, item STRING, PRIMARY KEY (nr) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT CAST(id AS BIGINT) AS nr, item FROM stock;
