-- compare: watermark
-- CUMULATE without a key, with window_time, by named arguments.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), t TIMESTAMP(3), n BIGINT, total INT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, window_time, COUNT(*), SUM(score)
FROM TABLE(CUMULATE(DATA => TABLE visits, TIMECOL => DESCRIPTOR(`at`), STEP => INTERVAL '5' SECOND, SIZE => INTERVAL '20' SECOND))
GROUP BY window_start, window_end, window_time;
