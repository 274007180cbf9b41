-- Keys and aggregates that are expressions; arithmetic over aggregates; a key that is not selected; a constant key;
-- several keys with NULLs in them.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (a STRING, b BIGINT, c DECIMAL(38, 2)) WITH ('connector' = 'print');
INSERT INTO printed SELECT UPPER(SUBSTRING(item, 1, 1)), COUNT(*) * 10 + 1, CAST(SUM(amount * price) / 2 AS DECIMAL(38, 2)) FROM orders GROUP BY SUBSTRING(item, 1, 1);
INSERT INTO printed SELECT 'x', COUNT(*), MAX(price) - MIN(price) FROM orders GROUP BY customer;
INSERT INTO printed SELECT customer || '/' || item, SUM(id), SUM(price) FROM orders GROUP BY customer, item;
