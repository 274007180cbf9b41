-- METADATA columns of the filesystem source: under their own name, renamed with FROM, VIRTUAL, and used by a computed
-- column.

CREATE TABLE source (
  a INT,
  `file.name` STRING NOT NULL METADATA VIRTUAL,
  size_long BIGINT METADATA FROM 'file.size',
  size_int AS CAST(size_long AS INT)
) WITH ('connector' = 'filesystem', 'path' = 'data/folder/b.json', 'format' = 'json');
CREATE TABLE printed (a INT, name STRING, size_long BIGINT, size_int INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT a, `file.name`, size_long, size_int + 1 FROM source;
