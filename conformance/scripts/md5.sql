-- MD5 of the UTF-8 bytes in lower-case hex, of text and of bytes.

CREATE TABLE texts (id INT, s STRING, t STRING, n INT)
WITH ('connector' = 'filesystem', 'path' = 'data/texts.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 STRING, c2 STRING, c3 STRING, c4 STRING
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  MD5(s),
  MD5(t || s),
  MD5(CAST(s AS BYTES)),
  MD5('')
FROM texts;
