-- A filter, a projection and a third aggregate over two aggregates: retractions pass through all of them.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (big BOOLEAN, n BIGINT, s BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT many > 1, COUNT(*), SUM(many)
FROM (
  SELECT n, COUNT(*) AS many
  FROM (SELECT item, COUNT(*) AS n, SUM(amount) AS total FROM orders GROUP BY item)
  WHERE total <> 3
  GROUP BY n
)
GROUP BY many > 1;
