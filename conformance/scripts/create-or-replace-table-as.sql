-- CREATE OR REPLACE and REPLACE TABLE AS: the table has the columns of its last query.
-- dialect: S6

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE t (earlier INT) WITH ('connector' = 'print');
CREATE OR REPLACE TABLE t WITH ('connector' = 'print') AS SELECT id, item FROM orders WHERE id < 3;
INSERT INTO t VALUES (10, 'ten');
REPLACE TABLE t WITH ('connector' = 'print', 'print-identifier' = 'new') AS SELECT amount FROM orders WHERE id < 3;
CREATE OR REPLACE TABLE fresh WITH ('connector' = 'print') AS SELECT 1 AS a;
INSERT INTO t VALUES (7);
