-- JSON_VALUE with RETURNING INTEGER, DOUBLE and BOOLEAN over values of that type.

CREATE TABLE documents (id INT, doc STRING)
WITH ('connector' = 'filesystem', 'path' = 'data/documents.json', 'format' = 'json');
CREATE TABLE printed (
  id INT, c1 INT, c2 DOUBLE, c3 BOOLEAN
) WITH ('connector' = 'print');
INSERT INTO printed
SELECT
  id,
  JSON_VALUE(doc, 'lax $.a.b[0]' RETURNING INTEGER DEFAULT -1 ON EMPTY),
  JSON_VALUE(doc, 'lax $.a.b[1]' RETURNING DOUBLE),
  JSON_VALUE(doc, 'lax $.a.b[4]' RETURNING BOOLEAN)
FROM documents WHERE id < 5;
