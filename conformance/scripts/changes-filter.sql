-- A filter over changes: what no longer passes leaves a -U alone.

CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (id INT, amount INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT id, amount FROM stock WHERE amount > 2;
