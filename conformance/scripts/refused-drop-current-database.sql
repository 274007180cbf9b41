-- DROP DATABASE of the current one.
-- dialect: S10

CREATE DATABASE d;
USE d;
DROP DATABASE d CASCADE;
