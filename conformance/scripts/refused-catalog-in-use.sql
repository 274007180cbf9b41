-- DROP CATALOG of the current one.
-- dialect: S10

CREATE CATALOG c WITH ('type' = 'generic_in_memory');
USE CATALOG c;
DROP CATALOG c;
