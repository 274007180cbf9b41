-- compare: watermark
-- A filter of the row's own columns between SESSION and GROUP BY is below the window.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), who STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, who, COUNT(*)
FROM (SELECT window_start, window_end, who, score FROM TABLE(SESSION(DATA => TABLE visits PARTITION BY who, TIMECOL => DESCRIPTOR(`at`), GAP => INTERVAL '5' SECOND)) WHERE score > 1)
GROUP BY window_start, window_end, who;
