-- ORDER BY a position, an alias, an expression that is not selected; NULLS FIRST and LAST.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
SELECT item AS x FROM orders ORDER BY x LIMIT 2;
SELECT item, amount FROM orders ORDER BY 2 DESC NULLS FIRST, 1 LIMIT 3;
SELECT item FROM orders ORDER BY CHAR_LENGTH(item) DESC NULLS LAST, id LIMIT 3;
