-- TRY_CAST of text to each simple type: what is accepted, trimmed, rounded, and what becomes NULL.

CREATE TABLE castable (id INT, s STRING) WITH ('connector' = 'filesystem', 'path' = 'data/castable.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 TINYINT, c2 SMALLINT, c3 INT, c4 BIGINT, c5 FLOAT, c6 DOUBLE, c7 DECIMAL(5, 2), c8 DECIMAL(10,
  0), c9 BOOLEAN, c10 DATE, c11 TIME(0), c12 TIMESTAMP(0), c13 TIMESTAMP(3), c14 TIMESTAMP(9),
  c15 CHAR(3), c16 VARCHAR(3), c17 BYTES
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  TRY_CAST(s AS TINYINT),
  TRY_CAST(s AS SMALLINT),
  TRY_CAST(s AS INT),
  TRY_CAST(s AS BIGINT),
  TRY_CAST(s AS FLOAT),
  TRY_CAST(s AS DOUBLE),
  TRY_CAST(s AS DECIMAL(5, 2)),
  TRY_CAST(s AS DECIMAL(10, 0)),
  TRY_CAST(s AS BOOLEAN),
  TRY_CAST(s AS DATE),
  TRY_CAST(s AS TIME(0)),
  TRY_CAST(s AS TIMESTAMP(0)),
  TRY_CAST(s AS TIMESTAMP(3)),
  TRY_CAST(s AS TIMESTAMP(9)),
  TRY_CAST(s AS CHAR(3)),
  TRY_CAST(s AS VARCHAR(3)),
  TRY_CAST(s AS BYTES)
FROM castable;
