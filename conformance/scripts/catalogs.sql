-- Catalogs in memory: tables in each, USE CATALOG, names of three parts.
-- dialect: S7 S17 S18 L5

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE CATALOG other COMMENT 'c' WITH ('type' = 'generic_in_memory', 'default-database' = 'main');
USE CATALOG other;
CREATE TABLE printed (id BIGINT, item STRING) WITH ('connector' = 'print');
CREATE DATABASE d2;
CREATE VIEW d2.v AS SELECT id, item FROM default_catalog.default_database.orders WHERE amount > 2;
INSERT INTO printed SELECT * FROM d2.v;
USE CATALOG default_catalog;
INSERT INTO other.main.printed SELECT id * 10, item FROM other.d2.v;
ALTER CATALOG other COMMENT 'another';
ALTER CATALOG other RESET ('property-version');
SHOW CATALOGS;
SHOW CREATE CATALOG other;
DESCRIBE CATALOG EXTENDED other;
DROP CATALOG IF EXISTS nothing;
DROP CATALOG other;
