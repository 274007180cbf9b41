-- The row that was told goes away: none of those that lost comes back.
-- compare: watermark

CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (shop STRING, id INT, item STRING, amount INT, PRIMARY KEY (shop) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT shop, id, item, amount FROM stock WHERE shop IS NOT NULL ON CONFLICT DO NOTHING;
