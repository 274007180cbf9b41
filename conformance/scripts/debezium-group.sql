-- Aggregates over a changelog source: retractions of COUNT, SUM, MIN and MAX, keys that come and go, NULL as a key.

CREATE TABLE goods (id INT, name STRING, weight DOUBLE)
WITH ('connector' = 'filesystem', 'path' = 'data/debezium.json', 'format' = 'debezium-json');
CREATE TABLE counts (name STRING, n BIGINT, total DOUBLE) WITH ('connector' = 'print');
INSERT INTO counts SELECT name, COUNT(*), SUM(weight) FROM goods GROUP BY name;
