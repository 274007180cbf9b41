-- Top-N with OFFSET over appended rows: each place from the new row on changes.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT id, amount FROM orders ORDER BY amount, id DESC LIMIT 3 OFFSET 1;
