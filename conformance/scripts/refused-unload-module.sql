-- UNLOAD MODULE of one that is not there.
-- dialect: S18

UNLOAD MODULE hive;
