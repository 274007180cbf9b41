-- Materialisation though the keys are the same: one change of a key and watermark.
-- compare: watermark

SET 'table.exec.sink.upsert-materialize' = 'FORCE';
CREATE TABLE orders (id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (item STRING, n BIGINT, PRIMARY KEY (item) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT item, COUNT(*) FROM orders WHERE item IS NOT NULL GROUP BY item ON CONFLICT DO NOTHING;
