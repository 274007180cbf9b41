-- A number has to fit into 64 bits without its point.

SELECT 12345678901234567890;
