-- ALTER TABLE ADD, MODIFY, DROP, RENAME of columns, with FIRST and AFTER; INSERT goes by the new order.
-- dialect: S9

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (id BIGINT, item STRING) WITH ('connector' = 'print');
ALTER TABLE printed ADD amount INT;
INSERT INTO printed SELECT id, item, amount FROM orders WHERE id < 4;
ALTER TABLE printed ADD (note STRING FIRST, price DECIMAL(10, 2) AFTER id);
INSERT INTO printed SELECT 'n', id, price, item, amount FROM orders WHERE id < 4;
ALTER TABLE printed MODIFY (amount BIGINT FIRST, note INT);
INSERT INTO printed SELECT 5, 6, id, price, item FROM orders WHERE id < 4;
ALTER TABLE printed DROP (note, price);
ALTER TABLE printed RENAME item TO thing;
INSERT INTO printed (id, thing) SELECT id, item FROM orders WHERE id < 4;
ALTER TABLE printed DROP thing;
INSERT INTO printed SELECT amount, id FROM orders WHERE id < 4;
