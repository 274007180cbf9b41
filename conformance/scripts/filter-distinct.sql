-- DISTINCT and FILTER together: the same set under two filters.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT COUNT(DISTINCT customer) FILTER (WHERE amount > 1), COUNT(DISTINCT customer) FILTER (WHERE id > 6), COUNT(DISTINCT customer) FROM orders;
