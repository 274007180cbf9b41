-- The text of doubles and floats: powers of ten where Java changes notation, doubles whose shortest text Java 17
-- misses, subnormal and special values.

CREATE TABLE doubles (d DOUBLE, f FLOAT) WITH ('connector' = 'filesystem', 'path' = 'data/doubles.json', 'format' = 'json');
CREATE TABLE printed (d DOUBLE, f FLOAT) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM doubles;
