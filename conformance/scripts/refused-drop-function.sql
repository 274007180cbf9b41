-- DROP FUNCTION of one that is not there.
-- dialect: S10

DROP FUNCTION IF EXISTS nothing;
DROP TEMPORARY FUNCTION IF EXISTS nothing;
DROP FUNCTION nothing;
