-- arus run examples/first/totals.sql
-- Orders from a file: the takings of each 10 seconds, and a total per customer that changes with each order.

CREATE TABLE orders (
  customer STRING,
  item     STRING,
  amount   INT,
  price    DECIMAL(10, 2),
  ts       TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND
) WITH (
  'connector' = 'filesystem',
  'path' = 'examples/first/data/orders.json',
  'format' = 'json'
);

CREATE TABLE per_window (
  window_start TIMESTAMP(3),
  orders       BIGINT,
  takings      DECIMAL(38, 2)
) WITH ('connector' = 'print', 'print-identifier' = 'window');

CREATE TABLE per_customer (
  customer STRING,
  orders   BIGINT,
  takings  DECIMAL(38, 2)
) WITH ('connector' = 'print', 'print-identifier' = 'customer');

SET 'table.dml-sync' = 'true';

INSERT INTO per_window
SELECT window_start, COUNT(*), SUM(amount * price)
FROM TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND)
GROUP BY window_start, window_end;

INSERT INTO per_customer
SELECT customer, COUNT(*), SUM(amount * price)
FROM orders
GROUP BY customer;
