-- Views: with a column list, of a view, temporary, replaced after DROP, with a comment; each is expanded where it is
-- used.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE VIEW big (number, buyer, total) COMMENT 'orders above five' AS
  SELECT id, customer, amount * price FROM orders WHERE amount * price > 5;
CREATE TEMPORARY VIEW buyers AS SELECT buyer, COUNT(*) AS n, SUM(total) AS total FROM big GROUP BY buyer;
CREATE VIEW IF NOT EXISTS big AS SELECT 1 AS a;
CREATE VIEW gone AS SELECT 1 AS a;
DROP VIEW gone;
DROP VIEW IF EXISTS gone;
CREATE VIEW gone AS SELECT number + 100 AS a FROM big;
CREATE TABLE printed (buyer STRING, n BIGINT, total DECIMAL(38, 2)) WITH ('connector' = 'print');
CREATE TABLE more (a BIGINT) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM buyers;
INSERT INTO more SELECT a FROM gone;
