-- COUNT by the source's own key keeps the aggregate.

CREATE TABLE stock (id INT NOT NULL, shop STRING, item STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
SELECT id, COUNT(*) FROM stock GROUP BY id;
