-- A window table function without an aggregate adds window_start, window_end and window_time to each row, late rows
-- included.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (id BIGINT, s TIMESTAMP(3), e TIMESTAMP(3), w TIMESTAMP(3)) WITH ('connector' = 'print');
INSERT INTO printed SELECT id, window_start, window_end, window_time FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(`at`), INTERVAL '5' SECOND));
