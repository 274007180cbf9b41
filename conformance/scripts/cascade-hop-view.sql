-- compare: watermark
-- HOP over the window_time of a view with TUMBLE.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE VIEW summed AS SELECT rt, who, s FROM (SELECT window_start, window_end, window_time AS rt, who, SUM(score) AS s, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE visits, DESCRIPTOR(`at`), INTERVAL '5' SECOND)) GROUP BY window_start, window_end, window_time, who);
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), who STRING, total INT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, who, SUM(s)
FROM TABLE(HOP(TABLE summed, DESCRIPTOR(rt), INTERVAL '10' SECOND, INTERVAL '20' SECOND))
GROUP BY window_start, window_end, who;
