-- A number has to fit into 64 bits without its point, zeros behind it included.

SELECT 1.00000000000000000000;
