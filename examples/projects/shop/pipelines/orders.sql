-- Orders of a shop, as they come: POST them to /v1/tables/orders/rows, or produce them to the topic `orders`.

CREATE TABLE orders (
  id         BIGINT,
  customer   STRING,
  product    STRING,
  amount     DECIMAL(10, 2),
  ordered_at TIMESTAMP(3),
  WATERMARK FOR ordered_at AS ordered_at - INTERVAL '5' SECOND
);

-- What each customer has bought: changes with every order.
CREATE MATERIALIZED TABLE customers AS
SELECT customer, COUNT(*) AS orders, SUM(amount) AS total, MAX(ordered_at) AS last_order
FROM orders
GROUP BY customer;

-- Sales of each minute: a row once the minute is over.
CREATE MATERIALIZED TABLE sales AS
SELECT window_start AS `minute`, product, COUNT(*) AS orders, SUM(amount) AS total
FROM TUMBLE(TABLE orders, DESCRIPTOR(ordered_at), INTERVAL '1' MINUTE)
GROUP BY window_start, window_end, product;

-- Large orders, for whoever packs them.
CREATE MATERIALIZED TABLE large_orders AS
SELECT id, customer, amount FROM orders WHERE amount >= 100;
