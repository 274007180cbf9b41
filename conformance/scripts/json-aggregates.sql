-- JSON_ARRAYAGG and JSON_OBJECTAGG: order of elements and keys, NULLs, values of each kind.

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT JSON_OBJECTAGG(KEY k VALUE v), JSON_ARRAYAGG(k) FROM (VALUES ('one', 1), ('two', 2), ('three', CAST(NULL AS INT)), ('Four', 4), ('ü😀', 5), ('', 6), ('a"b', 7), ('~', 8), ('ab', 9), ('a', 10)) AS t(k, v);
SELECT JSON_OBJECTAGG(KEY k VALUE v ABSENT ON NULL), JSON_OBJECTAGG(KEY k VALUE v NULL ON NULL), JSON_ARRAYAGG(v ABSENT ON NULL), JSON_ARRAYAGG(v NULL ON NULL) FROM (VALUES ('one', 1.50), ('two', CAST(NULL AS DECIMAL(3, 2)))) AS t(k, v);
SELECT JSON_ARRAYAGG(JSON_OBJECT(KEY 'w' VALUE who)), JSON_ARRAYAGG(price), JSON_ARRAYAGG(`at`), JSON_ARRAYAGG(ARRAY[score, 1]), JSON_ARRAYAGG(JSON_STRING(cost)), JSON_ARRAYAGG(score > 3), JSON_ARRAYAGG(ROW(score, page)) FROM visits WHERE score > 3;
SELECT JSON_OBJECT(KEY 'a' VALUE JSON_ARRAYAGG(score)), JSON_ARRAY(JSON_ARRAYAGG(page)) FROM visits WHERE score > 6;
SELECT JSON_ARRAYAGG(score ORDER BY cost), JSON_ARRAYAGG(score) WITHIN GROUP (ORDER BY cost) FROM visits WHERE score > 3;
