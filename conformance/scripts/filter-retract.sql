-- FILTER over updates: a retraction passes the same filter.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT COUNT(*) FILTER (WHERE n > 1), SUM(n) FILTER (WHERE n < 3), COUNT(DISTINCT n) FILTER (WHERE n > 1) FROM (SELECT customer, COUNT(*) AS n FROM orders GROUP BY customer);
