-- compare: watermark
-- GROUP BY TUMBLE over processing time.

CREATE TABLE visits (
  who STRING, page STRING, score INT, p AS PROCTIME()
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT TUMBLE_START(p, INTERVAL '1' DAY), COUNT(*)
FROM visits
GROUP BY TUMBLE(p, INTERVAL '1' DAY);
