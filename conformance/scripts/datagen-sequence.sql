-- datagen with sequences: bounded, in order, each type of a sequence.

CREATE TABLE source (a INT, b BIGINT, c DOUBLE, d STRING, e SMALLINT) WITH (
  'connector' = 'datagen',
  'fields.a.kind' = 'sequence', 'fields.a.start' = '1', 'fields.a.end' = '5',
  'fields.b.kind' = 'sequence', 'fields.b.start' = '10000000000', 'fields.b.end' = '10000000009',
  'fields.c.kind' = 'sequence', 'fields.c.start' = '-2', 'fields.c.end' = '7',
  'fields.d.kind' = 'sequence', 'fields.d.start' = '1', 'fields.d.end' = '9',
  'fields.e.kind' = 'sequence', 'fields.e.start' = '0', 'fields.e.end' = '100'
);
CREATE TABLE printed (a INT, b BIGINT, c DOUBLE, d STRING, e SMALLINT) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM source;
