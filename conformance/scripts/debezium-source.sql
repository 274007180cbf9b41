-- debezium-json as a source: c, r, u, d as row kinds, fields in any order, missing and NULL fields, what a filter and
-- a projection keep of each kind.

CREATE TABLE goods (id INT, name STRING, weight DECIMAL(10, 3), `at` TIMESTAMP(3))
WITH ('connector' = 'filesystem', 'path' = 'data/debezium.json', 'format' = 'debezium-json');
CREATE TABLE printed (id INT, name STRING, weight DECIMAL(10, 3), `at` TIMESTAMP(3)) WITH ('connector' = 'print');
CREATE TABLE names (name STRING, id BIGINT) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM goods;
INSERT INTO names SELECT UPPER(name), id + 1 FROM goods WHERE name = 'anvil';
