-- compare: watermark
-- HOP with named arguments and no TABLE(..) around.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, COUNT(*)
FROM HOP(DATA => TABLE visits, TIMECOL => DESCRIPTOR(`at`), SLIDE => INTERVAL '5' SECOND, SIZE => INTERVAL '15' SECOND)
GROUP BY window_start, window_end;
