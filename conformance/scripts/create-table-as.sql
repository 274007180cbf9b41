-- CREATE TABLE AS: the table takes names and types of the query, the rows go into it.
-- dialect: S6

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE copy WITH ('connector' = 'print') AS SELECT id, UPPER(item) AS item, amount * price AS total, 'x' AS tag FROM orders WHERE amount > 1;
CREATE TABLE counts WITH ('connector' = 'print') AS SELECT item, COUNT(*) AS n, SUM(amount) AS total FROM orders GROUP BY item;
CREATE TABLE again WITH ('connector' = 'print', 'print-identifier' = 'again') LIKE copy;
INSERT INTO again VALUES (1, 'A', 2.50, 'y');
