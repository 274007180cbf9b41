-- A NULL without a type is refused where Flink cannot tell its type.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (id BIGINT, item STRING) WITH ('connector' = 'print');
INSERT INTO printed SELECT id, UPPER(NULL) FROM orders WHERE IF(TRUE, id, NULL) > 0;
