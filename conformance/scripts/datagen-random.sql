-- datagen with random fields: bounds, the length of text, null-rate 1, number-of-rows.

CREATE TABLE source (a INT, b BIGINT, c STRING, d DOUBLE, e BOOLEAN) WITH (
  'connector' = 'datagen', 'number-of-rows' = '4', 'rows-per-second' = '1000',
  'fields.a.min' = '7', 'fields.a.max' = '9', 'fields.b.min' = '-3', 'fields.b.max' = '3',
  'fields.c.length' = '12', 'fields.d.null-rate' = '1'
);
CREATE TABLE printed (a BOOLEAN, b BOOLEAN, c INT, d DOUBLE, e BOOLEAN) WITH ('connector' = 'print');
INSERT INTO printed SELECT a BETWEEN 7 AND 9, b BETWEEN -3 AND 3, CHAR_LENGTH(c), d, e IS NOT NULL FROM source;
