-- compare: watermark
-- TUMBLE with a key: NULL and the empty string as keys; every aggregate function; one that sees only NULLs.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), customer STRING, n BIGINT, known BIGINT, total INT, mean INT, low DECIMAL(10, 2), high DECIMAL(10, 2), mean_price DECIMAL(38, 6)) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, customer, COUNT(*), COUNT(amount), SUM(amount), AVG(amount), MIN(price), MAX(price), AVG(price)
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(`at`), INTERVAL '5' SECOND))
GROUP BY window_start, window_end, customer;
