-- A time to live that is no duration.

CREATE TABLE orders (id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT /*+ STATE_TTL('orders' = '1 fortnight') */ item, COUNT(*) FROM orders GROUP BY item;
