-- Two sinks of one changelog, one of which needs -U.
-- compare: multiset (two sinks write side by side)

CREATE TABLE stock (id INT NOT NULL, shop STRING, item STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = 'data/changes.json', 'format' = 'debezium-json');
CREATE TABLE printed (id INT, amount INT) WITH ('connector' = 'print');
CREATE TABLE gone (id INT, item STRING, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'blackhole');
EXECUTE STATEMENT SET BEGIN
INSERT INTO printed SELECT id, amount FROM stock;
INSERT INTO gone SELECT id, item FROM stock;
END;
