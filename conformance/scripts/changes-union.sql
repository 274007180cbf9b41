-- Two readers of one changelog, one of them filtered.
-- compare: multiset (two branches interleave freely)

CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
SELECT id, shop FROM stock UNION ALL SELECT id + 100, item FROM stock WHERE amount > 2;
