-- The key as text is no key any more.

CREATE TABLE stock (id INT NOT NULL, shop STRING, item STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (nr STRING, item STRING, PRIMARY KEY (nr) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT CAST(id AS STRING) AS nr, item FROM stock;
