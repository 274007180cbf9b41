-- UNNEST of a multiset that is updated: retractions are unnested, too.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT customer, x FROM (SELECT customer, COLLECT(amount) AS c FROM orders GROUP BY customer) CROSS JOIN UNNEST(c) AS u(x);
