-- Distinct aggregates and filters by window.
-- compare: watermark

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT window_start, item, COUNT(DISTINCT customer), SUM(DISTINCT amount), COUNT(*) FILTER (WHERE amount > 1)
FROM TUMBLE(TABLE orders, DESCRIPTOR(`at`), INTERVAL '10' SECOND) GROUP BY window_start, window_end, item;
