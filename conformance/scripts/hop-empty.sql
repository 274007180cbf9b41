-- compare: watermark
-- Windows of every kind over no rows.

CREATE TABLE visits (
  who STRING, score INT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at` - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/empty.json', 'format' = 'json');
CREATE TABLE printed (s TIMESTAMP(3), e TIMESTAMP(3), n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_start, window_end, COUNT(*) FROM TABLE(HOP(TABLE visits, DESCRIPTOR(`at`), INTERVAL '5' SECOND, INTERVAL '10' SECOND)) GROUP BY window_start, window_end
UNION ALL SELECT window_start, window_end, COUNT(*) FROM TABLE(CUMULATE(TABLE visits, DESCRIPTOR(`at`), INTERVAL '5' SECOND, INTERVAL '20' SECOND)) GROUP BY window_start, window_end
UNION ALL SELECT window_start, window_end, COUNT(*) FROM TABLE(SESSION(TABLE visits, DESCRIPTOR(`at`), INTERVAL '5' SECOND)) GROUP BY window_start, window_end;
