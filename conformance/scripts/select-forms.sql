-- SELECT forms: *, qualified *, aliases without AS, expressions without FROM, VALUES in FROM with column names,
-- nested subqueries, WITH.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (a BIGINT, b STRING, c INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT o.id, o.item x, o.amount AS `c` FROM orders AS o WHERE o.id <= 2;
INSERT INTO printed SELECT t.* FROM (SELECT id, customer, amount FROM orders WHERE amount > 2) t;
INSERT INTO printed SELECT b + 1, a, 0 FROM (VALUES ('p', 1), ('q', 2)) AS v(a, b);
INSERT INTO printed WITH small AS (SELECT id, item FROM orders WHERE id < 3), named AS (SELECT id, item || '!' AS item FROM small)
  SELECT id, item, 1 FROM named;
INSERT INTO printed SELECT * FROM (SELECT * FROM (SELECT id + 1, 'deep', amount FROM orders) WHERE amount IS NULL);
INSERT INTO printed SELECT 1, 'no table', 2;
INSERT INTO printed VALUES (3, 'values', 4), (5, CAST(NULL AS STRING), 6);
