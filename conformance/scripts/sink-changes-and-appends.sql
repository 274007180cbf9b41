-- One job: appended rows, changes and upserts, each into its own sink.
-- compare: multiset (three sinks write in turn)

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE rows_printed (who STRING, score INT) WITH ('connector' = 'print', 'print-identifier' = 'rows');
CREATE TABLE sums_printed (who STRING, total INT) WITH ('connector' = 'print', 'print-identifier' = 'sums');
CREATE TABLE best_printed (who STRING, best INT, PRIMARY KEY (who) NOT ENFORCED) WITH ('connector' = 'print', 'print-identifier' = 'best');
EXECUTE STATEMENT SET BEGIN
INSERT INTO rows_printed SELECT who, score FROM visits WHERE score > 3;
INSERT INTO sums_printed SELECT who, SUM(score) FROM visits GROUP BY who;
INSERT INTO best_printed SELECT who, MAX(score) FROM visits WHERE who IS NOT NULL GROUP BY who;
END;
