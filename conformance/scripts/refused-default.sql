-- DEFAULT is no value.

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (a INT, b STRING) WITH ('connector' = 'print');
INSERT INTO printed VALUES (1, DEFAULT);
