-- compare: watermark
-- GROUP BY window_start, window_end again over HOP: rows carry their window.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), keys BIGINT, most INT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, COUNT(*), MAX(s)
FROM (SELECT window_start, window_end, window_time AS rt, who, SUM(score) AS s, COUNT(*) AS n FROM TABLE(HOP(TABLE visits, DESCRIPTOR(`at`), INTERVAL '5' SECOND, INTERVAL '10' SECOND)) GROUP BY window_start, window_end, window_time, who)
GROUP BY window_start, window_end;
