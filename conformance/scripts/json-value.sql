-- JSON_VALUE: paths in lax and strict mode, scalars only, RETURNING, DEFAULT and NULL ON EMPTY and ON ERROR, text
-- that is no JSON.

CREATE TABLE documents (id INT, doc STRING)
WITH ('connector' = 'filesystem', 'path' = 'data/documents.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 STRING, c2 STRING, c3 STRING, c4 STRING, c5 STRING, c6 STRING, c7 STRING, c8 STRING,
  c9 STRING, c10 STRING, c11 STRING
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  JSON_VALUE(doc, '$.s'),
  JSON_VALUE(doc, 'lax $.a.b[1]'),
  JSON_VALUE(doc, '$.a.b'),
  JSON_VALUE(doc, 'lax $.n'),
  JSON_VALUE(doc, '$[2].s'),
  JSON_VALUE(doc, '$'),
  JSON_VALUE(doc, 'lax $.nope' DEFAULT 'empty' ON EMPTY),
  JSON_VALUE(doc, 'strict $.nope' DEFAULT 'error' ON ERROR),
  JSON_VALUE(doc, 'lax $.o' DEFAULT 'empty' ON EMPTY DEFAULT 'error' ON ERROR),
  JSON_VALUE(doc, '$.a[''b''][0]'),
  JSON_VALUE(doc, 'lax $.s' RETURNING STRING NULL ON EMPTY NULL ON ERROR)
FROM documents;
