-- Grouped twice: the second aggregate takes the retractions of the first (a histogram of counts), values fall and
-- groups vanish (-D).

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (n BIGINT, customers BIGINT, total BIGINT, low STRING, high STRING) WITH ('connector' = 'print');
INSERT INTO printed
SELECT n, COUNT(*), SUM(n), MIN(customer), MAX(customer)
FROM (SELECT customer, COUNT(*) AS n FROM orders GROUP BY customer)
GROUP BY n;
