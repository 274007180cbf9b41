-- Literals: quotes in quotes, Unicode escapes with and without UESCAPE, C-style escapes, numbers in each notation and
-- their types, hex, dates.

CREATE TABLE printed (a STRING, b STRING, c STRING, d STRING, n STRING, x BYTES, t STRING) WITH ('connector' = 'print');
INSERT INTO printed VALUES
  ('it''s', U&'\263A!', U&'#263A##' UESCAPE '#', e'tab\tnew\\', CAST(1.50 AS STRING), X'00ff', CAST(DATE '2024-02-29' AS STRING)),
  ('', 'ü😀', 'a--b', '/* c */', CAST(1.5E3 AS STRING), X'', CAST(TIMESTAMP '2024-02-29 01:02:03.40' AS STRING)),
  ('a;b', '`', '"', '\n', CAST(.5 AS STRING), X'7f', CAST(TIME '01:02:03' AS STRING)),
  (' ', '%', '''', 'E', CAST(-12345678901234 AS STRING), X'01', CAST(INTERVAL '1 02:03:04' DAY TO SECOND AS STRING)),
  ('1', '2', '3', '4', CAST(0012.340 AS STRING), X'02', CAST(INTERVAL '2-3' YEAR TO MONTH AS STRING));
