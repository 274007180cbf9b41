-- Databases: names of one, two and three parts, USE, a view that keeps its meaning in another database.
-- dialect: S7 S17 S18 L5

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE DATABASE shop COMMENT 'sells' WITH ('k' = 'v');
CREATE DATABASE IF NOT EXISTS shop;
ALTER DATABASE shop SET ('k' = 'w', 'l' = 'x');
CREATE TABLE shop.printed (id BIGINT, item STRING) WITH ('connector' = 'print');
CREATE VIEW big AS SELECT id, item FROM orders WHERE amount > 1;
USE shop;
CREATE TABLE orders (id BIGINT, item STRING) WITH ('connector' = 'filesystem', 'path' = 'data/empty.json', 'format' = 'json');
CREATE VIEW elsewhere AS SELECT id + 100 AS id, item FROM default_database.big;
INSERT INTO printed SELECT * FROM orders;
INSERT INTO printed SELECT * FROM default_database.big;
INSERT INTO default_catalog.shop.printed SELECT orders.id, default_database.orders.item FROM default_catalog.default_database.orders WHERE orders.id < 3;
USE default_database;
INSERT INTO shop.printed SELECT * FROM shop.elsewhere;
SHOW DATABASES;
DROP DATABASE shop CASCADE;
