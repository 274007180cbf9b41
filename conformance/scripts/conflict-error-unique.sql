-- The key is unique though the query does not know it: DO ERROR has nothing to say.
-- compare: watermark

CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (id INT, shop STRING, item STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT id, shop, item, amount FROM stock ON CONFLICT DO ERROR;
