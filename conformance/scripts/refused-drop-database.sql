-- DROP DATABASE of one that is not empty.
-- dialect: S10

CREATE DATABASE d;
CREATE TABLE d.t (a INT) WITH ('connector' = 'print');
DROP DATABASE d;
