-- compare: end (rows before the failure may or may not be printed)
-- NULL written into a NOT NULL column of a sink fails the job.

SET 'arus.exec.error-policy' = 'fail';
CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (a STRING NOT NULL) WITH ('connector' = 'print');
INSERT INTO printed SELECT customer FROM orders;
