-- A sink that does without -U and has no key.

CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE gone (id INT, item STRING) WITH ('connector' = 'blackhole');
INSERT INTO gone SELECT id, item FROM stock;
