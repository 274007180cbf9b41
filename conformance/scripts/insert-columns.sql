-- INSERT with a column list: other order, missing columns become NULL; values are cast to the type of the sink;
-- EXECUTE before INSERT.

CREATE TABLE printed (a INT, b STRING, c DOUBLE, d DECIMAL(6, 2), e BIGINT, f TIMESTAMP(6)) WITH ('connector' = 'print');
INSERT INTO printed (b, a) VALUES ('x', 1), ('y', 2);
INSERT INTO printed (d, c, e) SELECT 1.005, 7, CAST(3 AS TINYINT);
EXECUTE INSERT INTO printed (f) SELECT TIMESTAMP '2024-01-01 00:00:00.5';
INSERT INTO printed (d, a) SELECT CAST(12 AS INT), CAST(3 AS SMALLINT);
