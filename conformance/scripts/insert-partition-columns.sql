-- A static partition beside a column list.

CREATE TABLE orders (id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (id BIGINT, amount INT, kind STRING, more INT) PARTITIONED BY (kind, more) WITH ('connector' = 'print');
INSERT INTO printed PARTITION (kind = 'order', more = 3) (amount, id) SELECT amount, id FROM orders WHERE id < 4;
