-- Grouping sets by window.
-- compare: watermark

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT window_start, window_end, item, customer, COUNT(*), SUM(amount), GROUPING(item)
FROM TUMBLE(TABLE orders, DESCRIPTOR(`at`), INTERVAL '10' SECOND)
GROUP BY GROUPING SETS ((window_start, window_end, item), (window_start, window_end, customer), (window_start, window_end));
