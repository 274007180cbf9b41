-- Temporary tables and views hide those of the same name, until they are dropped.
-- dialect: S1 S4

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (id BIGINT) WITH ('connector' = 'print');
CREATE VIEW few AS SELECT id FROM orders WHERE id < 3;
CREATE TEMPORARY VIEW few AS SELECT id + 1000 AS id FROM orders WHERE id < 3;
INSERT INTO printed SELECT id FROM few;
CREATE TEMPORARY TABLE printed (id BIGINT) WITH ('connector' = 'print', 'print-identifier' = 'temporary');
INSERT INTO printed SELECT id FROM few;
DROP TEMPORARY VIEW few;
INSERT INTO printed SELECT id FROM few;
DROP TEMPORARY TABLE printed;
INSERT INTO printed SELECT id FROM few;
DROP VIEW few;
DROP TABLE printed;
