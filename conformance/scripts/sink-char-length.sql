-- A STRING is cut to a VARCHAR(n) of the sink and a CHAR is padded to its length, with and without
-- table.exec.sink.type-length-enforcer.

CREATE TABLE texts (id INT, s STRING, t STRING, n INT)
WITH ('connector' = 'filesystem', 'path' = 'data/texts.json', 'format' = 'json');
CREATE TABLE printed (id INT, a VARCHAR(4), b CHAR(6)) WITH ('connector' = 'print');
INSERT INTO printed SELECT id, s, CAST(s AS CHAR(3)) FROM texts WHERE id <> 9;
SET 'table.exec.sink.type-length-enforcer' = 'TRIM_PAD';
INSERT INTO printed SELECT id, s, CAST(s AS CHAR(3)) FROM texts WHERE id <> 9;
