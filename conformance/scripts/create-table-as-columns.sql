-- CREATE TABLE AS with declared columns: more of them, other types, a computed one, another order, a key.
-- dialect: S6

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE more (note STRING, id STRING, doubled AS amount * 2) WITH ('connector' = 'print') AS SELECT amount, CAST(id AS STRING) AS id FROM orders;
CREATE TABLE turned (item, id) WITH ('connector' = 'print') AS SELECT id, item FROM orders;
CREATE TABLE wide (amount BIGINT) WITH ('connector' = 'print') AS SELECT id, amount FROM orders;
CREATE TABLE keyed (PRIMARY KEY (k) NOT ENFORCED) WITH ('connector' = 'print') AS SELECT COALESCE(item, '') AS k, COUNT(*) AS n FROM orders GROUP BY COALESCE(item, '');
