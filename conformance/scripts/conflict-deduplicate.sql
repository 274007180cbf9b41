-- Several groups write one key: the newest row counts, and the one before it comes back.

CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (shop STRING, item STRING, n BIGINT, PRIMARY KEY (shop) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT shop, item, COUNT(*) FROM stock WHERE shop IS NOT NULL GROUP BY shop, item ON CONFLICT DO DEDUPLICATE;
