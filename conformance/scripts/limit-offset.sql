-- LIMIT with OFFSET, FETCH FIRST, LIMIT 0, a LIMIT in a subquery.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT id, item FROM orders LIMIT 2 OFFSET 3;
SELECT id FROM orders OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY;
SELECT id FROM orders LIMIT 0;
SELECT SUM(amount) FROM (SELECT amount FROM orders LIMIT 4);
