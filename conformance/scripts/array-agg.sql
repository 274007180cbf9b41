-- ARRAY_AGG keeps NULLs unless told otherwise.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT customer, ARRAY_AGG(item), ARRAY_AGG(item) IGNORE NULLS, ARRAY_AGG(DISTINCT amount), ARRAY_AGG(price) FILTER (WHERE amount > 1)
FROM orders GROUP BY customer;
