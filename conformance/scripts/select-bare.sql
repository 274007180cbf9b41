-- A bare SELECT prints its rows in the form of print, an aggregate its changes.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT id, customer, price FROM orders WHERE id < 6;
SELECT item, COUNT(*) AS n FROM orders GROUP BY item;
