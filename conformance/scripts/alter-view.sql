-- ALTER VIEW AS and RENAME; views over it follow.
-- dialect: S9

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE VIEW v AS SELECT id, item FROM orders WHERE id < 3;
CREATE VIEW w AS SELECT * FROM v;
CREATE TABLE printed (id BIGINT, item STRING) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM w;
ALTER VIEW v AS SELECT id + 100 AS id, UPPER(item) AS item FROM orders WHERE id < 4;
INSERT INTO printed SELECT * FROM w;
ALTER VIEW v RENAME TO u;
INSERT INTO printed SELECT id, item FROM u;
