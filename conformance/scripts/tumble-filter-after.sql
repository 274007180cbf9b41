-- compare: watermark
-- A filter and a computed column over the rows of a window function, below an aggregate by another key.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), big BOOLEAN, n BIGINT, total DECIMAL(38, 2)) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, big, COUNT(*), SUM(total)
FROM (
  SELECT window_start, window_end, amount > 1 AS big, amount * price AS total
  FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(`at`), INTERVAL '20' SECOND))
  WHERE item <> 'salt'
)
GROUP BY window_start, window_end, big;
