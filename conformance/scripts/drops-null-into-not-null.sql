-- table.exec.sink.not-null-enforcer = DROP leaves out rows with NULL for a NOT NULL column.

SET 'table.exec.sink.not-null-enforcer' = 'DROP';
CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (id BIGINT NOT NULL, customer STRING NOT NULL) WITH ('connector' = 'print');
INSERT INTO printed SELECT id, customer FROM orders;
