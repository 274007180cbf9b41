-- agg(..) FILTER (WHERE ..): rows where the condition is NULL do not count; calls without rows are NULL or 0.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT item, COUNT(*) FILTER (WHERE amount > 1), SUM(amount) FILTER (WHERE customer = 'ann'), SUM(amount), MAX(price) FILTER (WHERE price < 2)
FROM orders GROUP BY item;
