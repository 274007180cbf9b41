-- A source without its required option is refused.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (id BIGINT, item STRING) WITH ('connector' = 'print');
CREATE TABLE other (id BIGINT) WITH ('connector' = 'filesystem', 'format' = 'json');
INSERT INTO printed SELECT id, 'x' FROM other;
