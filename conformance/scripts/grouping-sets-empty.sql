-- Grouping sets over no rows give none, also for the empty set.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/empty.json', 'format' = 'json');
SELECT item, COUNT(*) FROM orders GROUP BY GROUPING SETS ((item), ());
