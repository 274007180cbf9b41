-- ROLLUP over updates, HAVING on GROUPING.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT customer, n, COUNT(*), SUM(n) FROM (SELECT customer, COUNT(*) AS n FROM orders GROUP BY customer) GROUP BY ROLLUP(n, customer) HAVING GROUPING(customer) = 1;
