-- DELETE in streaming.
-- dialect: S13

CREATE TABLE t (a INT, b INT, PRIMARY KEY (a) NOT ENFORCED) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
DELETE FROM t WHERE a = 2;
