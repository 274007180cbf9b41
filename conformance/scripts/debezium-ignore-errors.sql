-- debezium-json with ignore-parse-errors and ISO times: fields that cannot be read are NULL, events that are none are passed over.

CREATE TABLE goods (id INT, name STRING, `at` TIMESTAMP(3))
WITH ('connector' = 'filesystem', 'path' = 'data/debezium-broken.json', 'format' = 'debezium-json',
  'debezium-json.ignore-parse-errors' = 'true', 'debezium-json.timestamp-format.standard' = 'ISO-8601');
CREATE TABLE printed (id INT, name STRING, `at` TIMESTAMP(3)) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM goods;
