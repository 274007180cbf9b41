-- compare: end (rows before the failure may or may not be printed)
-- A file that does not exist fails the job when it starts.

CREATE TABLE source (a INT) WITH ('connector' = 'filesystem', 'path' = 'data/no-such-file.json', 'format' = 'json');
CREATE TABLE printed (a INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT a FROM source;
