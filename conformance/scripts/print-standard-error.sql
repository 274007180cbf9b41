-- The option standard-error sends the lines elsewhere; blackhole takes rows in silence.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE elsewhere (id BIGINT) WITH ('connector' = 'print', 'standard-error' = 'true');
CREATE TABLE printed (id BIGINT) WITH ('connector' = 'print');
CREATE TABLE gone (id BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO elsewhere SELECT id FROM orders;
INSERT INTO gone SELECT id FROM orders;
INSERT INTO printed SELECT id FROM orders WHERE id > 12;
