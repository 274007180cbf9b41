-- A partition of a column that is none.

CREATE TABLE orders (id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (id BIGINT, kind STRING) WITH ('connector' = 'print');
INSERT INTO printed PARTITION (kind = 'order') SELECT id FROM orders;
