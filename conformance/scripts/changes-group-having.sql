-- HAVING over changes takes groups back.

CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (shop STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed SELECT shop, COUNT(*) FROM stock GROUP BY shop HAVING COUNT(*) > 1;
