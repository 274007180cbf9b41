-- ANALYZE TABLE in streaming.
-- dialect: S16

CREATE TABLE t (a INT) WITH ('connector' = 'print');
ANALYZE TABLE t COMPUTE STATISTICS;
