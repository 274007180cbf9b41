-- compare: watermark
-- An aggregate over window_start itself.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), n BIGINT, latest TIMESTAMP(3)) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, COUNT(*), MAX(window_start)
FROM TABLE(HOP(TABLE visits, DESCRIPTOR(`at`), INTERVAL '5' SECOND, INTERVAL '10' SECOND))
GROUP BY window_start, window_end;
