-- A number beyond the range of DOUBLE.

SELECT 1e400;
