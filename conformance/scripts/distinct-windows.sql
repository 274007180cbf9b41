-- SELECT DISTINCT with the window columns is an aggregate by window without calls.
-- compare: watermark

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT DISTINCT window_start, window_end, item
FROM TUMBLE(TABLE orders, DESCRIPTOR(`at`), INTERVAL '5' SECOND);
