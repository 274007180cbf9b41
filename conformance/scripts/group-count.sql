-- GROUP BY without a window: each input row gives the old value (-U) and the new one (+U) of its group; NULL and the
-- empty string are groups of their own.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (customer STRING, n BIGINT, known BIGINT, first_id BIGINT) WITH ('connector' = 'print');
INSERT INTO printed SELECT customer, COUNT(*), COUNT(amount), MIN(id) FROM orders GROUP BY customer;
