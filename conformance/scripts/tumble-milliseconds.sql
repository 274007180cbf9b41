-- compare: watermark
-- A size of DAY TO SECOND with milliseconds; windows aligned to 1970.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, COUNT(*)
FROM TABLE(TUMBLE(TABLE visits, DESCRIPTOR(`at`), INTERVAL '0 00:00:10.5' DAY TO SECOND))
GROUP BY window_start, window_end;
