-- CURRENT_DATABASE() is that of the statement: USE changes it, a view keeps none.
-- dialect: F S18

CREATE TABLE printed (d STRING, id INT) WITH ('connector' = 'print');
CREATE VIEW here AS SELECT CURRENT_DATABASE() AS d, 1 AS id;
INSERT INTO printed SELECT * FROM here;
CREATE DATABASE elsewhere;
USE elsewhere;
INSERT INTO default_database.printed SELECT CONCAT('in ', CURRENT_DATABASE()), 2;
INSERT INTO default_database.printed SELECT * FROM default_database.here;
