-- Maps print in the order of a Java HashMap: by the hash of the key, in a table that doubles when it is three
-- quarters full; of equal keys the last wins.

CREATE TABLE maps (id INT, m MAP<STRING, INT>) WITH ('connector' = 'filesystem', 'path' = 'data/maps.json', 'format' = 'json');
CREATE TABLE printed (id INT, m MAP<STRING, INT>) WITH ('connector' = 'print');
CREATE TABLE constructed (a MAP<INT, INT>, b MAP<BIGINT, STRING>, c MAP<BOOLEAN, INT>, d MAP<DATE, INT>, e MAP<DOUBLE, INT>) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM maps;
INSERT INTO constructed SELECT
  MAP[10, 1, 9, 2, -5, 3, 100, 4, 17, 5, 1000000, 6],
  MAP[CAST(5 AS BIGINT), 'five', CAST(4294967296 AS BIGINT), 'large', CAST(-1 AS BIGINT), 'minus'],
  MAP[TRUE, 1, FALSE, 0],
  MAP[DATE '2024-01-02', 1, DATE '2024-02-01', 2, DATE '1970-01-01', 3],
  MAP[1.5E0, 1, -2E0, 2, 0.1E0, 3];
