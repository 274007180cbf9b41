-- UNION ALL of one source split by a filter keeps CHAR literals unpadded and widens INT, BIGINT, DOUBLE.

CREATE TABLE printed (s STRING, l INT, d DOUBLE) WITH ('connector' = 'print');
INSERT INTO printed SELECT s, CHAR_LENGTH(s), d FROM (VALUES ('a', 1E0), ('bbb', 2E0), ('cc', 1E10)) AS v(s, d);
