-- Nothing comes: nothing is decided.

CREATE TABLE visits (who STRING, page STRING, score INT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at`)
WITH ('connector' = 'filesystem', 'path' = 'data/empty.json', 'format' = 'json');
CREATE TABLE printed (page STRING, who STRING, best INT, PRIMARY KEY (page) NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO printed SELECT page, who, MAX(score) FROM visits WHERE page IS NOT NULL GROUP BY page, who ON CONFLICT DO NOTHING;
