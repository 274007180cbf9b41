-- compare: watermark
-- Windows over times before 1970 start at or before the row.

CREATE TABLE events (id INT, t3 TIMESTAMP(3), WATERMARK FOR t3 AS t3 - INTERVAL '99' YEAR)
WITH ('connector' = 'filesystem', 'path' = 'data/old-times.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), ids INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT window_start, window_end, SUM(id)
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(t3), INTERVAL '7' SECOND)) GROUP BY window_start, window_end;
