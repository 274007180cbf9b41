-- A static partition's value stands for its column.

CREATE TABLE orders (id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (id BIGINT, amount INT, kind STRING) PARTITIONED BY (kind) WITH ('connector' = 'print');
INSERT INTO printed PARTITION (kind = 'order') SELECT id, amount FROM orders WHERE id < 4;
