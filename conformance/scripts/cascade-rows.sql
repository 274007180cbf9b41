-- TUMBLE as a table function over HOP as a table function.

CREATE TABLE visits (
  who STRING, page STRING, score INT, cost DOUBLE, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
CREATE VIEW hopped AS SELECT who, window_time AS rt, window_start AS ws FROM TABLE(HOP(TABLE visits, DESCRIPTOR(`at`), INTERVAL '5' SECOND, INTERVAL '10' SECOND));
CREATE TABLE printed (who STRING, ws TIMESTAMP(3), s TIMESTAMP(3), e TIMESTAMP(3), t TIMESTAMP(3)) WITH ('connector' = 'print');
INSERT INTO printed
SELECT who, ws, window_start, window_end, window_time
FROM TABLE(TUMBLE(TABLE hopped, DESCRIPTOR(rt), INTERVAL '20' SECOND));
