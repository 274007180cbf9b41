-- compare: watermark
-- TUMBLE with GROUP BY window: rows out of order, late rows (dropped), windows without rows (no line), the last
-- windows at the end of the input.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (window_start TIMESTAMP(3), window_end TIMESTAMP(3), n BIGINT, ids BIGINT) WITH ('connector' = 'print');
INSERT INTO printed SELECT window_start, window_end, COUNT(*), SUM(id) FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(`at`), INTERVAL '5' SECOND)) GROUP BY window_start, window_end;
