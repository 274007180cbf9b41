-- Columns by name in another order; the others are NULL.

CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (id INT, note STRING, amount INT NOT NULL, shop STRING) WITH ('connector' = 'print');
INSERT INTO printed (amount, id) SELECT amount, id FROM stock WHERE amount IS NOT NULL;
