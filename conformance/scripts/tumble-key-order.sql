-- compare: watermark
-- The key may stand before the window in GROUP BY and may be an expression; window columns need not be selected.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (k STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed SELECT UPPER(item), COUNT(*) FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(`at`), INTERVAL '10' SECOND)) GROUP BY UPPER(item), window_end, window_start;
