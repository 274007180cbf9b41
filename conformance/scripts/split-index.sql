-- SPLIT_INDEX counts from 0, keeps empty parts, and gives NULL outside and for the empty string.

CREATE TABLE texts (id INT, s STRING, t STRING, n INT)
WITH ('connector' = 'filesystem', 'path' = 'data/texts.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 STRING, c2 STRING, c3 STRING, c4 STRING, c5 STRING, c6 STRING, c7 STRING, c8 STRING,
  c9 STRING, c10 STRING
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  SPLIT_INDEX(s, ',', 0),
  SPLIT_INDEX(s, ',', 2),
  SPLIT_INDEX(s, ',', 3),
  SPLIT_INDEX(s, ',', -1),
  SPLIT_INDEX(s, t, 1),
  SPLIT_INDEX(s, ' ', 1),
  SPLIT_INDEX(s, 'xx', 1),
  SPLIT_INDEX(s, '', 0),
  SPLIT_INDEX(s, ',', n),
  SPLIT_INDEX(s, 44, 1)
FROM texts;
