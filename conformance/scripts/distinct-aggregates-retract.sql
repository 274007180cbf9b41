-- Distinct aggregates over updates: a value counts until its last occurrence is taken back.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT COUNT(DISTINCT n), SUM(DISTINCT n), COUNT(DISTINCT customer), SUM(n) FROM (SELECT customer, COUNT(*) AS n FROM orders GROUP BY customer);
