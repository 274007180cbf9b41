-- FIRST_VALUE and LAST_VALUE in the order of arrival; NULLs are passed over.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT customer, FIRST_VALUE(item), LAST_VALUE(item), FIRST_VALUE(price), LAST_VALUE(`at`), LAST_VALUE(amount)
FROM orders GROUP BY customer;
