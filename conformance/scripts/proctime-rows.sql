-- HOP over processing time as a table function.

CREATE TABLE visits (
  who STRING, page STRING, score INT, p AS PROCTIME()
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (who STRING, hours INT, days INT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT who, TIMESTAMPDIFF(HOUR, window_start, window_end), TIMESTAMPDIFF(DAY, window_start, window_end)
FROM TABLE(HOP(TABLE visits, DESCRIPTOR(p), INTERVAL '1' DAY, INTERVAL '2' DAY));
