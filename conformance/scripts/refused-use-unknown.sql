-- USE of a database that is not there.
-- dialect: S18

USE nowhere;
