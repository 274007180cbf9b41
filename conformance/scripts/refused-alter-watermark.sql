-- ALTER TABLE DROP WATERMARK without one.
-- dialect: S9

CREATE TABLE t (a TIMESTAMP(3)) WITH ('connector' = 'print');
ALTER TABLE t DROP WATERMARK;
