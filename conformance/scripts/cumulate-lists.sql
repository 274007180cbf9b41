-- CUMULATE: aggregates in the order of arrival, part by part.
-- compare: watermark

CREATE TABLE visits (who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT who, LISTAGG(page), LISTAGG(page, '|'), COLLECT(page), ARRAY_AGG(score), window_start, window_end FROM CUMULATE(TABLE visits, DESCRIPTOR(`at`), INTERVAL '10' SECOND, INTERVAL '30' SECOND) GROUP BY who, window_start, window_end;
