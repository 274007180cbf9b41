-- No materialisation: every change reaches the sink.

CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
SET 'table.exec.sink.upsert-materialize' = 'NONE';
CREATE TABLE printed (shop STRING, item STRING, amount INT, PRIMARY KEY (shop) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT shop, item, amount FROM stock WHERE shop IS NOT NULL;
