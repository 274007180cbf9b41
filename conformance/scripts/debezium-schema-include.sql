-- debezium-json with its schema in every record.

CREATE TABLE goods (id INT, name STRING)
WITH ('connector' = 'filesystem', 'path' = 'data/debezium-schema.json', 'format' = 'debezium-json', 'debezium-json.schema-include' = 'true');
CREATE TABLE printed (id INT, name STRING) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM goods;
