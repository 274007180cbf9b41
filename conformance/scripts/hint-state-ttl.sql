-- A state's time to live by hint: unchanged groups are told again.

CREATE TABLE orders (id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (customer STRING, most INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT /*+ STATE_TTL('orders' = '1 d') */ customer, MAX(amount) FROM orders GROUP BY customer;
