-- compare: watermark
-- CUMULATE takes an offset above its size.

CREATE TABLE visits (
  who STRING, page STRING, score INT, `at` TIMESTAMP(3), p AS PROCTIME(),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), who STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, who, COUNT(*)
FROM TABLE(CUMULATE(TABLE visits, DESCRIPTOR(`at`), INTERVAL '5' SECOND, INTERVAL '20' SECOND, INTERVAL '27' SECOND))
GROUP BY window_start, window_end, who;
