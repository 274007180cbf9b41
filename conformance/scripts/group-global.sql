-- An aggregate without GROUP BY over rows: one line at first, then its changes; over no rows it prints nothing.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (n BIGINT, total INT, mean DECIMAL(38, 6), low STRING) WITH ('connector' = 'print');
INSERT INTO printed SELECT COUNT(*), SUM(amount), AVG(price), MIN(item) FROM orders;
INSERT INTO printed SELECT COUNT(*), SUM(amount), AVG(price), MIN(item) FROM orders WHERE id < 0;
