-- FIRST_VALUE and LAST_VALUE over a changelog source.

CREATE TABLE goods (id INT, name STRING, weight DOUBLE)
WITH ('connector' = 'filesystem', 'path' = 'data/debezium.json', 'format' = 'debezium-json');
SELECT FIRST_VALUE(name), LAST_VALUE(name), FIRST_VALUE(weight), LAST_VALUE(weight) FROM goods;
