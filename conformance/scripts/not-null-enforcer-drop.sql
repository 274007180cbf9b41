-- table.exec.sink.not-null-enforcer = DROP, reset in between.
-- dialect: G

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (item STRING NOT NULL, id BIGINT) WITH ('connector' = 'print');
SET 'table.exec.sink.not-null-enforcer' = 'DROP';
INSERT INTO printed SELECT NULLIF(item, 'rope'), id FROM orders;
