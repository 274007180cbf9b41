-- ON CONFLICT without a primary key changes nothing.

CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (id INT, item STRING) WITH ('connector' = 'print');
INSERT INTO printed SELECT id, item FROM stock ON CONFLICT DO DEDUPLICATE;
