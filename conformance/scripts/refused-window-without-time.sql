-- A window over a column that is no time attribute is refused.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (id BIGINT, item STRING) WITH ('connector' = 'print');
CREATE TABLE plain (`at` TIMESTAMP(3)) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
INSERT INTO printed SELECT COUNT(*), 'x' FROM TABLE(TUMBLE(TABLE plain, DESCRIPTOR(`at`), INTERVAL '5' SECOND)) GROUP BY window_start, window_end;
