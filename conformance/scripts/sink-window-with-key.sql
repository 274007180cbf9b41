-- Windows into a sink with a key.
-- compare: watermark

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (who STRING, w TIMESTAMP(3), n BIGINT, PRIMARY KEY (who, w) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT COALESCE(who, 'nobody'), window_start, COUNT(*) FROM TUMBLE(TABLE visits, DESCRIPTOR(`at`), INTERVAL '10' SECOND) GROUP BY who, window_start, window_end;
