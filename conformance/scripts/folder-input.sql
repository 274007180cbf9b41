-- compare: multiset (Flink reads the files of a folder in the file system's order)
-- A folder as input: read recursively, names that start with _ or . are left out; source.path.regex-pattern takes
-- some of them.

CREATE TABLE folder (a INT, `file.name` STRING METADATA) WITH ('connector' = 'filesystem', 'path' = 'data/folder', 'format' = 'json');
CREATE TABLE some_of_it (a INT) WITH ('connector' = 'filesystem', 'path' = 'data/folder', 'format' = 'json', 'source.path.regex-pattern' = '.*/[ad]\.json');
CREATE TABLE printed (a INT, name STRING) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM folder;
INSERT INTO printed SELECT a, 'regex' FROM some_of_it;
