-- compare: watermark
-- TUMBLE over the window_time of SESSION.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), sessions BIGINT, n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, COUNT(*), SUM(n)
FROM TABLE(TUMBLE((SELECT rt, who, s, n FROM (SELECT window_start, window_end, window_time AS rt, who, SUM(score) AS s, COUNT(*) AS n FROM TABLE(SESSION(TABLE visits PARTITION BY who, DESCRIPTOR(`at`), INTERVAL '5' SECOND)) GROUP BY window_start, window_end, window_time, who)), DESCRIPTOR(rt), INTERVAL '20' SECOND))
GROUP BY window_start, window_end;
