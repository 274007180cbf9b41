-- The same grouping set twice: GROUP_ID tells them apart. GROUPING without sets is 0.
-- modes: not compared (Flink makes a union of two aggregates, here one takes all sets)
-- compare: multiset (the same set twice is a union of two in Flink)

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT item, COUNT(*), GROUP_ID() FROM orders GROUP BY GROUPING SETS ((item), (item), ());
SELECT item, GROUPING(item), GROUPING_ID(item), GROUP_ID() FROM orders GROUP BY item;
