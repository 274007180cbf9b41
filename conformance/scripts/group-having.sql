-- HAVING filters the changes as they are: a group that enters does so with +U, one that leaves with -U.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (item STRING, n BIGINT, total INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT item, COUNT(*), SUM(amount) FROM orders GROUP BY item HAVING COUNT(*) >= 2 AND SUM(amount) < 12;
