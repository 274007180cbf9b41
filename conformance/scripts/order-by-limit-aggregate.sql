-- ORDER BY an aggregate that is not selected, with LIMIT, over a changelog source too.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE goods (id INT, name STRING, weight DOUBLE)
WITH ('connector' = 'filesystem', 'path' = 'data/debezium.json', 'format' = 'debezium-json');
SELECT item FROM orders GROUP BY item ORDER BY SUM(amount) DESC LIMIT 2;
SELECT name, weight FROM goods ORDER BY weight DESC LIMIT 3;
