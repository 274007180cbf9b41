-- Constructors ARRAY[], MAP[] and ROW() with scalars of many types inside, as print shows them.

CREATE TABLE printed (a ARRAY<STRING>, b ARRAY<DECIMAL(11, 1)>, c MAP<STRING, INT>, d ROW<x INT, y STRING, z BOOLEAN>, e ARRAY<TIMESTAMP(3)>, f ARRAY<BYTES>, g MAP<INT, ARRAY<INT>>, h ARRAY<DATE>, i ROW<p ROW<q TIME(0)>>) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  ARRAY['a', 'bbb', ''], ARRAY[1, 2.5], MAP['k', 1], ROW(1, 'x', TRUE),
  ARRAY[TIMESTAMP '2024-01-01 00:00:00.000', TIMESTAMP '2024-01-01 00:00:01.500'], ARRAY[X'01FF', X''],
  MAP[1, ARRAY[1, 2]], ARRAY[DATE '2024-01-01'], ROW(ROW(TIME '10:00:00'));
