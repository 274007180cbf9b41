-- Variances over updates.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT VAR_POP(CAST(n AS DOUBLE)), STDDEV_SAMP(CAST(n AS DOUBLE)), VAR_SAMP(n) FROM (SELECT customer, COUNT(*) AS n FROM orders GROUP BY customer);
