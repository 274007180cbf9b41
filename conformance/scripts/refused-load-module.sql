-- A module that is not there.
-- dialect: S18

LOAD MODULE hive;
