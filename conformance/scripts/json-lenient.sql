-- JSON by Flink's rules with json.ignore-parse-errors: numbers as text and text as numbers, objects read as text,
-- missing and unknown fields, broken lines (dropped), arrays at the top (one row each).

CREATE TABLE loose (i INT, s STRING, b BOOLEAN, d DOUBLE)
WITH ('connector' = 'filesystem', 'path' = 'data/loose.json', 'format' = 'json', 'json.ignore-parse-errors' = 'true');
CREATE TABLE printed (i INT, s STRING, b BOOLEAN, d DOUBLE) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM loose;
INSERT INTO printed (s) SELECT s FROM loose;
