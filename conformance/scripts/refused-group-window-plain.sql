-- A group window over a column that is no time attribute.

CREATE TABLE plain (`at` TIMESTAMP(3)) WITH ('connector' = 'filesystem', 'path' = 'data/visits.json', 'format' = 'json');
SELECT COUNT(*) FROM plain GROUP BY TUMBLE(`at`, INTERVAL '10' SECOND);
