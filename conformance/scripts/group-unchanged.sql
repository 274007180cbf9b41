-- An aggregate whose value does not change prints nothing.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (item STRING, top INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT item, MAX(amount) FROM orders GROUP BY item;
