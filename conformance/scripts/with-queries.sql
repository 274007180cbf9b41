-- WITH: a query that is used twice, with column names, one upon another.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
WITH big (i, a) AS (SELECT item, amount FROM orders WHERE amount > 1), sums AS (SELECT i, SUM(a) AS s FROM big GROUP BY i)
SELECT s, COUNT(*) FROM sums WHERE i IN ('tea', 'milk', 'bread') GROUP BY s;
