-- SELECT DISTINCT over rows that are unique already, and over all columns of such: no second state.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT DISTINCT customer, n FROM (SELECT customer, COUNT(*) AS n FROM orders GROUP BY customer);
