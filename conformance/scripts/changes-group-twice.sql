-- Groups of groups over changes.

CREATE TABLE stock (id INT, shop STRING, item STRING, amount INT)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
SELECT n, COUNT(*) FROM (SELECT shop, COUNT(*) AS n FROM stock GROUP BY shop) GROUP BY n;
