-- PRINTF by the format strings of java.util.Formatter; a format that does not fit gives NULL.

CREATE TABLE edge (
  id INT, s STRING, t STRING, p STRING, i INT, l BIGINT, f FLOAT, x DOUBLE, dc DECIMAL(10, 2), b BOOLEAN, bb BYTES,
  d DATE, tm TIME(3), ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), arr ARRAY<INT>, sarr ARRAY<STRING>, mp MAP<STRING, INT>,
  js STRING
) WITH ('connector' = 'filesystem', 'path' = 'data/functions.json', 'format' = 'json');
SELECT
  id,
  PRINTF('%s|%10s|%-10s|%.3s|%S', s, t, t, s, t),
  PRINTF('%d|%5d|%05d|%+d|%,d|%(d', i, id, id, id, i, i),
  PRINTF('%x|%X|%o|%#x', i, l, i, id),
  PRINTF('%f|%.2f|%10.1f|%e', x, x, x, x),
  PRINTF('%.0f|%.3f|%,.2f', f, f, f),
  PRINTF('%b|%B|%b', b, b, s),
  PRINTF('%2$s %1$s', s, t),
  PRINTF('%s %s %s', dc, d, ts),
  PRINTF('%d', s),
  PRINTF('%s'),
  PRINTF(s),
  PRINTF(t),
  PRINTF('100%%|%c', id + 64)
FROM edge WHERE id NOT IN (4, 10);
