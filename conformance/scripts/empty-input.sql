-- An empty file: no lines from a projection, an aggregate, a window.

CREATE TABLE nothing (a INT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at`)
WITH ('connector' = 'filesystem', 'path' = 'data/empty.json', 'format' = 'json');
CREATE TABLE printed (n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed SELECT CAST(a AS BIGINT) FROM nothing;
INSERT INTO printed SELECT COUNT(*) FROM nothing;
INSERT INTO printed SELECT COUNT(*) FROM nothing GROUP BY a;
INSERT INTO printed SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE nothing, DESCRIPTOR(`at`), INTERVAL '5' SECOND)) GROUP BY window_start, window_end;
INSERT INTO printed VALUES (1);
