-- SELECT DISTINCT and DISTINCT aggregates over no rows.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/empty.json', 'format' = 'json');
SELECT DISTINCT item FROM orders;
SELECT COUNT(DISTINCT item), SUM(DISTINCT amount) FROM orders;
