-- By the alias, without telling anything of other tables.

CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
SELECT /*+ STATE_TTL('s' = '12 h') */ shop, COUNT(*) FROM stock AS s GROUP BY shop;
