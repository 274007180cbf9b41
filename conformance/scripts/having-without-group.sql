-- HAVING without GROUP BY.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (n BIGINT, total INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT COUNT(*), SUM(amount) FROM orders HAVING COUNT(*) > 3 AND SUM(amount) <> 18;
