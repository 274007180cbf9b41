-- raw has no form for a DATE.

CREATE TABLE t (d DATE) WITH ('connector' = 'filesystem', 'path' = 'data/raw.txt', 'format' = 'raw');
CREATE TABLE printed (d DATE) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM t;
