-- INTERSECT: rows of both sides, once; NULLs are equal.
-- compare: multiset (which side comes first is not determined)

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT item FROM orders INTERSECT SELECT item FROM orders WHERE amount > 1 OR item IS NULL;
