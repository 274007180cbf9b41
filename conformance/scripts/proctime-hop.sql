-- compare: watermark
-- HOP over processing time: what has not fired when the input ends is never told.

CREATE TABLE visits (
  who STRING, page STRING, score INT, p AS PROCTIME()
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), who STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, who, COUNT(*)
FROM TABLE(HOP(TABLE visits, DESCRIPTOR(p), INTERVAL '1' DAY, INTERVAL '2' DAY))
GROUP BY window_start, window_end, who;
