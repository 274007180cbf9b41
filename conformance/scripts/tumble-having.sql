-- compare: watermark
-- HAVING and arithmetic over a window aggregate, a filter before the window.

CREATE TABLE all_orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE VIEW orders AS SELECT * FROM all_orders WHERE item IS NOT NULL AND id <> 4;
CREATE TABLE printed (s STRING, k STRING, v DECIMAL(38, 2)) WITH ('connector' = 'print');
INSERT INTO printed
SELECT DATE_FORMAT(window_start, 'HH:mm:ss'), item, CAST(SUM(amount * price) * 2 AS DECIMAL(38, 2))
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(`at`), INTERVAL '30' SECOND))
GROUP BY window_start, window_end, item
HAVING COUNT(*) > 1 OR item = 'salt';
