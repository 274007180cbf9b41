-- LIKE: columns, options and watermark of another table, with more columns in between, options overwritten.
-- dialect: S5

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE again WITH ('path' = 'data/orders.json') LIKE orders;
CREATE TABLE wider (total AS amount * price, upper_item AS UPPER(item)) LIKE orders;
CREATE TABLE printed (id BIGINT, total DECIMAL(21, 2), item STRING) WITH ('connector' = 'print');
CREATE TABLE windows (s TIMESTAMP(3), n BIGINT) WITH ('connector' = 'print');
CREATE TABLE labelled WITH ('print-identifier' = 'L') LIKE printed;
INSERT INTO printed SELECT id, total, upper_item FROM wider;
INSERT INTO labelled SELECT id, CAST(id AS DECIMAL(21, 2)), item FROM again WHERE amount > 2;
INSERT INTO windows SELECT window_start, COUNT(*) FROM TUMBLE(TABLE again, DESCRIPTOR(`at`), INTERVAL '10' SECOND) GROUP BY window_start, window_end;
