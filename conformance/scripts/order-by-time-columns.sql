-- ORDER BY the rowtime and further columns, one of them not selected.

CREATE TABLE clicks (`user` STRING, ms BIGINT, t AS TO_TIMESTAMP_LTZ(ms / 10000 * 10000, 3), WATERMARK FOR t AS t - INTERVAL '10' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'data/clicks.json', 'format' = 'json');
SELECT t, `user` FROM clicks ORDER BY t, `user` DESC, ms;
