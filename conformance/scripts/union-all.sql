-- compare: multiset (Flink runs the branches of a UNION ALL side by side)
-- UNION ALL: of tables and constants, with types that are widened, below an aggregate whose steps are not shown.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (x DECIMAL(11, 1), s STRING) WITH ('connector' = 'print');
INSERT INTO printed
SELECT amount, customer FROM orders WHERE id < 4
UNION ALL SELECT 2.5, 'const'
UNION ALL SELECT amount, item FROM orders WHERE id > 12;
