-- compare: multiset (the INSERTs of a STATEMENT SET share one source and run side by side)
-- EXECUTE STATEMENT SET: two sinks from one source as one job, one of them an aggregate.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE plain (id BIGINT, item STRING) WITH ('connector' = 'print', 'print-identifier' = 'plain');
CREATE TABLE counted (item STRING, n BIGINT) WITH ('connector' = 'print', 'print-identifier' = 'counted');
EXECUTE STATEMENT SET
BEGIN
  INSERT INTO plain SELECT id, CASE WHEN item IS NULL THEN 'none' ELSE item END FROM orders;
  INSERT INTO counted SELECT item, COUNT(*) FROM orders GROUP BY item;
END;
