-- WHERE keeps a row only when its condition is true: three-valued logic with NULL in AND, OR, NOT, IN, NOT IN,
-- BETWEEN.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (test STRING, id BIGINT) WITH ('connector' = 'print');
INSERT INTO printed SELECT 'and', id FROM orders WHERE amount > 1 AND price < 3;
INSERT INTO printed SELECT 'or', id FROM orders WHERE amount > 4 OR customer = 'bob';
INSERT INTO printed SELECT 'not', id FROM orders WHERE NOT (amount > 1 OR price > 3);
INSERT INTO printed SELECT 'in', id FROM orders WHERE item IN ('tea', 'salt');
INSERT INTO printed SELECT 'not in', id FROM orders WHERE item NOT IN ('tea', 'salt');
INSERT INTO printed SELECT 'in with null', id FROM orders WHERE amount IN (1, CAST(NULL AS INT));
INSERT INTO printed SELECT 'between', id FROM orders WHERE price BETWEEN 1 AND 2.6;
INSERT INTO printed SELECT 'symmetric', id FROM orders WHERE amount BETWEEN SYMMETRIC 5 AND 2;
INSERT INTO printed SELECT 'is null', id FROM orders WHERE customer IS NULL OR item IS NULL;
INSERT INTO printed SELECT 'distinct', id FROM orders WHERE customer IS DISTINCT FROM 'ann';
INSERT INTO printed SELECT 'not distinct', id FROM orders WHERE customer IS NOT DISTINCT FROM CAST(NULL AS STRING);
INSERT INTO printed SELECT 'unknown', id FROM orders WHERE (amount > 1) IS UNKNOWN;
INSERT INTO printed SELECT 'is not true', id FROM orders WHERE (amount > 1) IS NOT TRUE;
INSERT INTO printed SELECT 'false', id FROM orders WHERE 1 = 2;
