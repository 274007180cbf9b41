-- json.timestamp-format.standard = 'ISO-8601'.

CREATE TABLE iso (t TIMESTAMP(3), z TIMESTAMP_LTZ(3))
WITH ('connector' = 'filesystem', 'path' = 'data/iso.json', 'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601', 'json.ignore-parse-errors' = 'true');
CREATE TABLE printed (t TIMESTAMP(3), z TIMESTAMP_LTZ(3)) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM iso;
