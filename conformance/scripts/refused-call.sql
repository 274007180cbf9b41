-- CALL of a procedure that is not there.
-- dialect: S18

CALL procs.nothing();
