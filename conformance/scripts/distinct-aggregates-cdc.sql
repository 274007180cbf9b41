-- Distinct aggregates over a changelog source.

CREATE TABLE goods (id INT, name STRING, weight DOUBLE)
WITH ('connector' = 'filesystem', 'path' = 'data/debezium.json', 'format' = 'debezium-json');
SELECT COUNT(DISTINCT name), SUM(DISTINCT weight), COUNT(*) FROM goods;
