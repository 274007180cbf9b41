-- EXECUTE PLAN of a file that is not there.
-- dialect: S15

EXECUTE PLAN '/nowhere/plan.json';
