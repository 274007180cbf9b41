-- The same below a filter outside the key.

CREATE TABLE stock (id INT NOT NULL, shop STRING, item STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE gone (id INT, item STRING, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'blackhole');
INSERT INTO gone SELECT id, item FROM stock WHERE amount > 1;
