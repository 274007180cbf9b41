-- CREATE TABLE: IF NOT EXISTS keeps the first, TEMPORARY, comments, NOT NULL, primary key, back-ticks, names in three
-- parts; DROP with and without IF EXISTS.

/* a comment
   over lines; with a semicolon */
CREATE TABLE default_catalog.default_database.`out` (
  id BIGINT NOT NULL COMMENT 'the number',
  `select` STRING COMMENT 'a reserved word as a name; with a semicolon',
  PRIMARY KEY (id) NOT ENFORCED
) COMMENT 'kept' WITH ('connector' = 'print', 'print-identifier' = 'first');
CREATE TABLE IF NOT EXISTS `out` (other INT) WITH ('connector' = 'blackhole');
CREATE TEMPORARY TABLE temp (id BIGINT, v STRING) WITH ('connector' = 'print', 'print-identifier' = 'temp');
CREATE TABLE gone (a INT) WITH ('connector' = 'nowhere');
DROP TABLE gone;
DROP TABLE IF EXISTS gone;
INSERT INTO `out` VALUES (1, 'a;b'); -- a comment after the statement
INSERT INTO default_database.`out` VALUES (2, 'it''s -- no comment');
INSERT INTO temp VALUES (3, '/* no comment */');
DROP TEMPORARY TABLE temp;
CREATE TABLE temp (id BIGINT, v STRING) WITH ('connector' = 'print', 'print-identifier' = 'again');
INSERT INTO temp VALUES (4, U&'\263A');
