-- The query's key is no column of the sink: equal rows of two keys are two rows.
-- compare: watermark

CREATE TABLE orders (id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (item STRING, customer STRING, n BIGINT, PRIMARY KEY (item) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT item, 'x', n FROM (SELECT item, customer, COUNT(*) AS n FROM orders WHERE item IS NOT NULL GROUP BY item, customer) ON CONFLICT DO NOTHING;
