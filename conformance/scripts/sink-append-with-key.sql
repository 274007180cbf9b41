-- Appended rows into a sink with a key: each is one more +I.

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (who STRING, score INT, PRIMARY KEY (who) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT who, score FROM visits WHERE who IS NOT NULL;
