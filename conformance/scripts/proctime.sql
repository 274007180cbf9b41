-- Processing time and the clock: only what is determined of them (not NULL, types, equal within a row).

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3), p AS PROCTIME(),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (id BIGINT, a BOOLEAN, b BOOLEAN, c STRING, d BOOLEAN) WITH ('connector' = 'print');
INSERT INTO printed
SELECT id, p IS NOT NULL, CURRENT_TIMESTAMP > TIMESTAMP '2024-01-01 00:00:00', IF(CURRENT_TIMESTAMP IS NULL, 'no', 'yes'), PROCTIME() IS NULL
FROM orders WHERE id < 3;
