-- CURRENT_WATERMARK: NULL before the first watermark, then the last one that came before the row; it finds late rows.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (id BIGINT, `at` TIMESTAMP(3), w TIMESTAMP(3), late BOOLEAN) WITH ('connector' = 'print');
INSERT INTO printed
SELECT id, `at`, CURRENT_WATERMARK(`at`), CURRENT_WATERMARK(`at`) IS NOT NULL AND `at` <= CURRENT_WATERMARK(`at`) FROM orders;
INSERT INTO printed
SELECT id, `at`, CURRENT_WATERMARK(`at`), FALSE FROM orders WHERE CURRENT_WATERMARK(`at`) IS NULL OR `at` > CURRENT_WATERMARK(`at`);
