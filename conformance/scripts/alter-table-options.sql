-- ALTER TABLE SET and RESET of a sink's options.
-- dialect: S9

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (id BIGINT) WITH ('connector' = 'print');
ALTER TABLE printed SET ('print-identifier' = 'one');
INSERT INTO printed SELECT id FROM orders WHERE id < 3;
ALTER TABLE printed RESET ('print-identifier');
INSERT INTO printed SELECT id FROM orders WHERE id < 3;
