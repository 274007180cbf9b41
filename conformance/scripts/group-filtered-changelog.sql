-- A filter over an aggregate: of an update whose old or new row does not pass only the other half is printed, with
-- its kind unchanged.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (customer STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT customer, n FROM (SELECT customer, COUNT(*) AS n FROM orders GROUP BY customer) WHERE MOD(n, 2) = 1 OR customer IS NULL;
