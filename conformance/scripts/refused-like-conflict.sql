-- LIKE: a computed column of the same name needs OVERWRITING.
-- dialect: S5

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE a (total AS amount * price) LIKE orders;
CREATE TABLE b (total AS amount) LIKE a;
