-- SHOW, DESCRIBE and EXPLAIN print no rows of print: only the INSERT does.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE VIEW v AS SELECT item, COUNT(*) AS n FROM orders GROUP BY item;
CREATE TABLE printed (id BIGINT) WITH ('connector' = 'print');
SHOW TABLES;
SHOW CREATE TABLE orders;
DESCRIBE orders;
DESCRIBE v;
EXPLAIN SELECT * FROM v;
EXPLAIN INSERT INTO printed SELECT id FROM orders;
INSERT INTO printed SELECT id FROM orders WHERE id = 1;
