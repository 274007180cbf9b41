-- compare: watermark
-- HOP takes an offset above its size.

CREATE TABLE visits (
  who STRING, page STRING, score INT, `at` TIMESTAMP(3), p AS PROCTIME(),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), n BIGINT) WITH ('connector' = 'print');

INSERT INTO printed
SELECT window_start, window_end, COUNT(*)
FROM TABLE(HOP(TABLE visits, DESCRIPTOR(`at`), INTERVAL '4' SECOND, INTERVAL '12' SECOND, INTERVAL '13' SECOND))
GROUP BY window_start, window_end;

