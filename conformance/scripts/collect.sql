-- COLLECT into a MULTISET; NULLs are passed over, without values it is empty.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT customer, COLLECT(item), COLLECT(amount) FROM orders GROUP BY customer;
