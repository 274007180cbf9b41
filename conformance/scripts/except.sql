-- EXCEPT where no row is on both sides: rows of the left, once.
-- compare: multiset (which side comes first is not determined)

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT item FROM orders EXCEPT SELECT customer FROM orders;
