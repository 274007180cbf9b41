-- Flink has no plan for COUNT(DISTINCT ..) of BYTES.

CREATE TABLE b (x BYTES) WITH ('connector' = 'filesystem', 'path' = 'data/empty.json', 'format' = 'json');
SELECT COUNT(DISTINCT x) FROM b;
