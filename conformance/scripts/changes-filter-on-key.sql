-- A filter on the key alone passes all versions of a row or none.

CREATE TABLE stock (id INT NOT NULL, shop STRING, item STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (id INT, amount INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT id, amount FROM stock WHERE id IN (1, 3);
