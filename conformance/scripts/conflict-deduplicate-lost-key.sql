-- The query's key is no column of the sink.

CREATE TABLE orders (id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (item STRING, n BIGINT, PRIMARY KEY (item) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT item, n FROM (SELECT customer, item, COUNT(*) AS n FROM orders GROUP BY customer, item) WHERE item IS NOT NULL ON CONFLICT DO DEDUPLICATE;
