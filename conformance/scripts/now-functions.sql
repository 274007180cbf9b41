-- What the clock says: types, and what holds whenever it is asked. Substrings and other names beside it.

CREATE TABLE src (id INT, ts TIMESTAMP(3)) WITH ('connector' = 'filesystem', 'path' = 'data/files-window.json', 'format' = 'json');
SELECT id, TYPEOF(CURRENT_DATE), TYPEOF(CURRENT_TIME), TYPEOF(CURRENT_TIMESTAMP), TYPEOF(LOCALTIME), TYPEOF(LOCALTIMESTAMP), TYPEOF(NOW()), TYPEOF(CURRENT_ROW_TIMESTAMP()) FROM src;
SELECT id, CURRENT_DATE > DATE '2024-01-01', CURRENT_TIMESTAMP > TO_TIMESTAMP_LTZ(0, 3), LOCALTIMESTAMP > ts, NOW() > TO_TIMESTAMP_LTZ(0, 3), CURRENT_ROW_TIMESTAMP() >= TO_TIMESTAMP_LTZ(0, 3),
  LOCALTIME >= TIME '00:00:00', CURRENT_TIME >= TIME '00:00:00', CAST(CURRENT_TIMESTAMP AS DATE) >= CURRENT_DATE FROM src;
SELECT id, SUBSTR(DATE_FORMAT(ts, 'yyyy-MM-dd'), 6), SUBSTR('abcdef', id, 2), TRANSLATE('abcabc', 'ab', 'x'), -id, -(-id), ts - INTERVAL '1' SECOND, 'abc' LIKE 'a%', MAP['a', id]['a'], ARRAY[id, 7][2] FROM src;
