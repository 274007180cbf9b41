-- compare: watermark
-- An aggregate without a window over a windowed one: its changes follow the windows.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (n BIGINT, windows BIGINT, total BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT n, COUNT(*), SUM(ids)
FROM (SELECT window_end, COUNT(*) AS n, SUM(id) AS ids FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(`at`), INTERVAL '5' SECOND)) GROUP BY window_start, window_end)
GROUP BY n;
