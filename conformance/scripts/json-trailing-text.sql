-- What follows the first JSON value of a line is not looked at.

CREATE TABLE trailing (i INT, s STRING) WITH ('connector' = 'filesystem', 'path' = 'data/trailing.json', 'format' = 'json');
CREATE TABLE printed (i INT, s STRING) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM trailing;
