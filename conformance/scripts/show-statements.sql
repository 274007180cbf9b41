-- SHOW and DESCRIBE of everything are taken, with patterns; they print no rows of print.
-- dialect: S16 S17

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE parted (a INT, p STRING) PARTITIONED BY (p) WITH ('connector' = 'filesystem', 'path' = 'never-written', 'format' = 'json');
CREATE VIEW v AS SELECT id FROM orders;
SHOW CATALOGS LIKE 'd%';
SHOW CURRENT CATALOG;
SHOW DATABASES FROM default_catalog NOT ILIKE 'X%';
SHOW CURRENT DATABASE;
SHOW TABLES FROM default_catalog.default_database LIKE 'o%';
SHOW VIEWS IN default_database;
SHOW MATERIALIZED TABLES;
SHOW CREATE VIEW v;
SHOW COLUMNS FROM orders NOT LIKE 'a%';
DESCRIBE EXTENDED orders;
ALTER TABLE parted ADD PARTITION (p = 'x');
ALTER TABLE parted ADD IF NOT EXISTS PARTITION (p = 'x');
SHOW PARTITIONS parted;
SHOW PARTITIONS parted PARTITION (p = 'x');
ALTER TABLE parted DROP PARTITION (p = 'x');
SHOW FUNCTIONS LIKE 'ab%';
SHOW USER FUNCTIONS;
SHOW MODULES;
SHOW FULL MODULES;
USE MODULES core;
SHOW JARS;
SHOW MODELS;
CREATE TABLE printed (id BIGINT) WITH ('connector' = 'print');
EXECUTE INSERT INTO printed SELECT id FROM v WHERE id < 3;
