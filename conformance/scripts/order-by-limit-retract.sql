-- Top-N over updates in any direction: all rows are kept.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT customer, n FROM (SELECT customer, COUNT(*) AS n FROM orders GROUP BY customer) ORDER BY n LIMIT 2;
