-- Without ON CONFLICT, as the setting says.

CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
SET 'table.exec.sink.require-on-conflict' = 'false';
CREATE TABLE printed (shop STRING, item STRING, amount INT, PRIMARY KEY (shop) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT shop, item, amount FROM stock WHERE shop IS NOT NULL;
