-- Rows with NULL in a NOT NULL column are left out, changes too.

CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
SET 'table.exec.sink.not-null-enforcer' = 'DROP';
CREATE TABLE printed (id INT, amount INT NOT NULL) WITH ('connector' = 'print');
INSERT INTO printed SELECT id, amount FROM stock;
