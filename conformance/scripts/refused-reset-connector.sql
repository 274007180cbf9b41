-- ALTER TABLE RESET of the connector.
-- dialect: S9

CREATE TABLE t (a INT) WITH ('connector' = 'print');
ALTER TABLE t RESET ('connector');
