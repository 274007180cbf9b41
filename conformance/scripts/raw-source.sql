-- raw: lines as text in two charsets, as bytes, as numbers of both byte orders.

CREATE TABLE t (line STRING) WITH ('connector' = 'filesystem', 'path' = 'data/raw.txt', 'format' = 'raw');
CREATE TABLE l (line STRING) WITH ('connector' = 'filesystem', 'path' = 'data/raw-latin1.txt', 'format' = 'raw', 'raw.charset' = 'ISO-8859-1');
CREATE TABLE b (line BYTES) WITH ('connector' = 'filesystem', 'path' = 'data/raw.txt', 'format' = 'raw');
CREATE TABLE i (n INT) WITH ('connector' = 'filesystem', 'path' = 'data/raw-int.bin', 'format' = 'raw');
CREATE TABLE f (n FLOAT) WITH ('connector' = 'filesystem', 'path' = 'data/raw-int.bin', 'format' = 'raw', 'raw.endianness' = 'little-endian');
CREATE TABLE texts (line STRING) WITH ('connector' = 'print');
CREATE TABLE bytes_ (line BYTES) WITH ('connector' = 'print');
CREATE TABLE ints (n INT) WITH ('connector' = 'print');
CREATE TABLE floats (n FLOAT) WITH ('connector' = 'print');
INSERT INTO texts SELECT * FROM t;
INSERT INTO texts SELECT * FROM l;
INSERT INTO bytes_ SELECT * FROM b;
INSERT INTO ints SELECT * FROM i;
INSERT INTO floats SELECT * FROM f;
