-- A second row of a key while the first is there.
-- compare: end (which keys are told before the one that fails depends on a hash)

CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (shop STRING, id INT, PRIMARY KEY (shop) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT shop, id FROM stock WHERE shop IS NOT NULL ON CONFLICT DO ERROR;
