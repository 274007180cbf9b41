-- GROUPING SETS: each row once for each set; NULL keys of the data are other groups than keys left out.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT item, customer, COUNT(*), GROUPING(item), GROUPING(customer)
FROM orders GROUP BY GROUPING SETS ((item), (customer), ());
