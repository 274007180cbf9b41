-- DROP MODEL of one that is not there.
-- dialect: S10

DROP MODEL IF EXISTS nothing;
DROP MODEL nothing;
