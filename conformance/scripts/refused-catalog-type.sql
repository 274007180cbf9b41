-- A catalog of another system.
-- dialect: S7

CREATE CATALOG c WITH ('type' = 'jdbc');
