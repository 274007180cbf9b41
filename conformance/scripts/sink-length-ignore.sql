-- IGNORE lets them be.


CREATE TABLE orders (id BIGINT, customer VARCHAR(2), item CHAR(4)) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (id BIGINT, customer VARCHAR(2), item CHAR(4)) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM orders;
