-- ROLLUP with a pair that stays together, a key before it, and a key as an argument.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT item, customer, amount, COUNT(item), MAX(amount), GROUPING(customer, amount) FROM orders GROUP BY item, ROLLUP((customer, amount));
