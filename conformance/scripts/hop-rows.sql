-- HOP as a table function: a row for each window, the latest first; late rows too; a size that is no multiple of the slide.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (who STRING, score INT, s TIMESTAMP(3), e TIMESTAMP(3), t TIMESTAMP(3)) WITH ('connector' = 'print');
INSERT INTO printed
SELECT who, score, window_start, window_end, window_time
FROM TABLE(HOP(TABLE visits, DESCRIPTOR(`at`), INTERVAL '4' SECOND, INTERVAL '10' SECOND));
