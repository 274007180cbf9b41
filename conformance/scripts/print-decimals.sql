-- Decimals print as BigDecimal.toString: small values switch to scientific notation, zero keeps its scale.

CREATE TABLE printed (a DECIMAL(38, 18), b DECIMAL(5, 0), c DECIMAL(20, 10), d DECIMAL(38, 0)) WITH ('connector' = 'print');
INSERT INTO printed VALUES
  (1, 1, 0.0000000001, CAST('12345678901234567890123456789012345678' AS DECIMAL(38, 0))),
  (0, 0, 0, 0),
  (CAST('-12345678901234567890.123456789012345678' AS DECIMAL(38, 18)), -99999, -0.0000001, -1),
  (0.000001, 10, 0.000001, 100),
  (0.0000001, 100, 0.0000012345, 1000);
