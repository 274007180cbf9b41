-- Computed columns: over physical ones declared before and after, used in filters; a computed column is no column of
-- the sink.

CREATE TABLE orders (
  total AS amount * price,
  id BIGINT, item STRING, amount INT, price DECIMAL(10, 2),
  label AS UPPER(item) || '-' || CAST(id AS STRING),
  doubled AS amount + amount
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (
  label STRING, total DECIMAL(21, 2), doubled INT, twice AS doubled + doubled
) WITH ('connector' = 'print');
INSERT INTO printed SELECT label, total, doubled FROM orders WHERE doubled > 2 OR total IS NULL;
SELECT * FROM orders WHERE id = 1;
