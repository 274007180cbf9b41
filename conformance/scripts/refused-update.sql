-- UPDATE in streaming.
-- dialect: S13

CREATE TABLE t (a INT, b INT, PRIMARY KEY (a) NOT ENFORCED) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
UPDATE t SET b = 1 WHERE a = 2;
