-- CREATE TABLE AS: a key column that may be NULL.
-- dialect: S6

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE t (PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'print') AS SELECT id FROM orders;
