-- Variances by key; of one value a sample has none.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT item, VAR_POP(amount), VAR_SAMP(price), STDDEV_SAMP(CAST(amount AS DOUBLE)), STDDEV_POP(DISTINCT amount), VAR_POP(id) FILTER (WHERE id > 3)
FROM orders GROUP BY item;
