-- LISTAGG with the default and another separator; NULLs are passed over, only NULLs give NULL.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT customer, LISTAGG(item), LISTAGG(item, ' | '), LISTAGG(DISTINCT item) FROM orders GROUP BY customer;
