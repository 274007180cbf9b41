-- TO_TIMESTAMP with the standard form and with patterns; what cannot be parsed is NULL. TO_TIMESTAMP_LTZ of seconds
-- and milliseconds.

CREATE TABLE stamps (id INT, s STRING, p STRING, n BIGINT)
WITH ('connector' = 'filesystem', 'path' = 'data/stamps.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 TIMESTAMP(3), c2 TIMESTAMP(3), c3 TIMESTAMP_LTZ(3), c4 TIMESTAMP_LTZ(3), c5 TIMESTAMP_LTZ(3),
  c6 TIMESTAMP(3)
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  TO_TIMESTAMP(s),
  TO_TIMESTAMP(s, p),
  TO_TIMESTAMP_LTZ(n, 0),
  TO_TIMESTAMP_LTZ(n, 3),
  TO_TIMESTAMP_LTZ(n),
  CAST(TO_TIMESTAMP_LTZ(n, 3) AS TIMESTAMP(3))
FROM stamps;
