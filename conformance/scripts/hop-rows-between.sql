-- HOP whose slide is above its size: rows between two windows are in none.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE TABLE printed (who STRING, s TIMESTAMP(3), e TIMESTAMP(3)) WITH ('connector' = 'print');
INSERT INTO printed
SELECT who, window_start, window_end
FROM TABLE(HOP(TABLE visits, DESCRIPTOR(`at`), INTERVAL '20' SECOND, INTERVAL '10' SECOND));
