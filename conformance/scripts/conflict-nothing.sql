-- Several groups write one key: the first row that a watermark decides about stays.
-- compare: watermark

CREATE TABLE orders (id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (item STRING, customer STRING, n BIGINT, PRIMARY KEY (item) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT item, customer, COUNT(*) FROM orders WHERE item IS NOT NULL GROUP BY item, customer ON CONFLICT DO NOTHING;
