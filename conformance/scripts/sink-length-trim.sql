-- TRIM_PAD cuts and fills where source and sink have the same type.


SET 'table.exec.sink.type-length-enforcer' = 'TRIM_PAD';
CREATE TABLE orders (id BIGINT, customer VARCHAR(2), item CHAR(4)) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (id BIGINT, customer VARCHAR(2), item CHAR(4)) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM orders;
