-- EXCEPT ALL where no row is on both sides: rows of the left as often as they are there.
-- compare: multiset (which side comes first is not determined)

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT item FROM orders WHERE item IS NOT NULL EXCEPT ALL SELECT customer FROM orders;
