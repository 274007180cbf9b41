-- Rows that are only appended need no ON CONFLICT.

CREATE TABLE orders (id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (item STRING, amount INT, PRIMARY KEY (item) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT item, amount FROM orders WHERE item IS NOT NULL;
