-- CREATE TABLE AS: the declared type does not take the query's.
-- dialect: S6

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE t (id STRING) WITH ('connector' = 'print') AS SELECT id FROM orders;
