-- OPTIONS on source and sink; of equal keys the last wins.

CREATE TABLE orders (id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (id BIGINT, item STRING) WITH ('connector' = 'print');
INSERT INTO printed /*+ OPTIONS('print-identifier' = 'seen') */
SELECT id, item FROM orders /*+ OPTIONS('path' = 'data/none.json', 'path' = 'data/orders.json') */ WHERE id < 4;
