-- compare: watermark
-- Watermark definitions: the bare column, a column computed by TO_TIMESTAMP, an expression that is sometimes NULL.

CREATE TABLE plain (id INT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at`)
WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE parsed (id INT, `at` STRING, t AS TO_TIMESTAMP(`at`), WATERMARK FOR t AS t - INTERVAL '0.001' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE sometimes (
  id INT, customer STRING, `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS CASE WHEN customer IS NULL THEN CAST(NULL AS TIMESTAMP(3)) ELSE `at` - INTERVAL '1' SECOND END
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (w TIMESTAMP(3), n BIGINT, ids INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT window_start, COUNT(*), SUM(id) FROM TABLE(TUMBLE(TABLE plain, DESCRIPTOR(`at`), INTERVAL '5' SECOND)) GROUP BY window_start, window_end;
INSERT INTO printed SELECT window_start, COUNT(*), SUM(id) FROM TABLE(TUMBLE(TABLE parsed, DESCRIPTOR(t), INTERVAL '5' SECOND)) GROUP BY window_start, window_end;
INSERT INTO printed SELECT window_start, COUNT(*), SUM(id) FROM TABLE(TUMBLE(TABLE sometimes, DESCRIPTOR(`at`), INTERVAL '5' SECOND)) GROUP BY window_start, window_end;
