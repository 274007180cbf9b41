-- compare: watermark
-- HOP over a view with a filter.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE VIEW busy AS SELECT who, score * 2 AS doubled, `at` FROM visits WHERE score > 2;
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), n BIGINT, total INT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, COUNT(*), SUM(doubled)
FROM TABLE(HOP(TABLE busy, DESCRIPTOR(`at`), INTERVAL '5' SECOND, INTERVAL '10' SECOND))
GROUP BY window_start, window_end;
