-- GROUP BY the window that rows of a processing-time TUMBLE carry is no window aggregate: a changelog.

CREATE TABLE visits (
  who STRING, page STRING, score INT, `at` TIMESTAMP(3), p AS PROCTIME(),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (days INT, n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT TIMESTAMPDIFF(DAY, window_start, window_end), n
FROM (
  SELECT window_start, window_end, COUNT(*) AS n
  FROM (SELECT * FROM TABLE(TUMBLE(TABLE visits, DESCRIPTOR(p), INTERVAL '1' DAY)) WHERE window_start > TIMESTAMP '2024-03-01 10:00:00')
  GROUP BY window_start, window_end);
