-- A shop that does not exist: visitors look around, fill baskets, order and pay. A few devices test stolen cards among them.

-- Every table of the generator tells of the same visits. The first rows lie a quarter of an hour back, so that there is something to see.
CREATE TABLE IF NOT EXISTS page_views (
  ts       TIMESTAMP_LTZ(3),
  visit    BIGINT,
  customer STRING,
  country  STRING,
  referrer STRING,              -- search, direct, mail, ad
  page     STRING,              -- home, category, product, checkout
  category STRING,
  WATERMARK FOR ts AS ts - INTERVAL '0.001' SECOND
) WITH ('connector' = 'shop', 'stream' = 'page-views', 'visits-per-second' = '8', 'history' = '15 min');

CREATE TABLE IF NOT EXISTS baskets (
  ts       TIMESTAMP_LTZ(3),
  visit    BIGINT,
  customer STRING,
  category STRING,
  product  STRING,
  quantity INT,
  amount   DECIMAL(10, 2),
  WATERMARK FOR ts AS ts - INTERVAL '0.001' SECOND
) WITH ('connector' = 'shop', 'stream' = 'baskets', 'visits-per-second' = '8', 'history' = '15 min');

CREATE TABLE IF NOT EXISTS orders (
  ts       TIMESTAMP_LTZ(3),
  visit    BIGINT,
  customer STRING,
  country  STRING,
  category STRING,
  product  STRING,
  quantity INT,
  amount   DECIMAL(10, 2),
  WATERMARK FOR ts AS ts - INTERVAL '0.001' SECOND
) WITH ('connector' = 'shop', 'stream' = 'orders', 'visits-per-second' = '8', 'history' = '15 min');

-- Which of them were planted stands in the file of 'truth'; `arus score` compares it with card_testing.
CREATE TABLE IF NOT EXISTS payments (
  ts       TIMESTAMP_LTZ(3),
  payment  BIGINT,
  visit    BIGINT,
  customer STRING,
  device   STRING,
  card     STRING,
  amount   DECIMAL(10, 2),
  status   STRING,              -- accepted, declined
  WATERMARK FOR ts AS ts - INTERVAL '0.001' SECOND
) WITH ('connector' = 'shop', 'stream' = 'payments', 'visits-per-second' = '8', 'history' = '15 min', 'truth' = 'shop-truth.ndjson');

-- What each category brings in.
CREATE MATERIALIZED TABLE shop_revenue WITH ('retention.time' = '2 h') AS
SELECT window_time AS ts, category, COUNT(*) AS orders, SUM(amount) AS revenue
FROM TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '30' SECOND)
GROUP BY window_start, window_end, window_time, category;

CREATE MATERIALIZED TABLE shop_countries WITH ('retention.time' = '2 h') AS
SELECT window_time AS ts, country, COUNT(*) AS orders, SUM(amount) AS revenue
FROM TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' MINUTE)
GROUP BY window_start, window_end, window_time, country;

-- Of those who looked, how many bought: two streams as one, and a window over both.
CREATE VIEW IF NOT EXISTS shop_steps AS
SELECT ts, visit, 'view' AS step, referrer FROM page_views
UNION ALL
SELECT ts, visit, 'order' AS step, CAST(NULL AS STRING) AS referrer FROM orders;

CREATE MATERIALIZED TABLE shop_conversion WITH ('retention.time' = '2 h') AS
SELECT window_time AS ts,
       COUNT(DISTINCT visit) FILTER (WHERE step = 'view')  AS visits,
       COUNT(DISTINCT visit) FILTER (WHERE step = 'order') AS buyers
FROM TUMBLE(TABLE shop_steps, DESCRIPTOR(ts), INTERVAL '1' MINUTE)
GROUP BY window_start, window_end, window_time;

CREATE MATERIALIZED TABLE shop_referrers WITH ('retention.time' = '2 h') AS
SELECT window_time AS ts, referrer, COUNT(DISTINCT visit) AS visits, COUNT(*) AS looks
FROM TUMBLE(TABLE page_views, DESCRIPTOR(ts), INTERVAL '1' MINUTE)
GROUP BY window_start, window_end, window_time, referrer;

-- A basket is over when nobody has touched it for two minutes: paid, or left behind.
CREATE VIEW IF NOT EXISTS shop_basket_steps AS
SELECT ts, visit, 'put' AS step, amount FROM baskets
UNION ALL
SELECT ts, visit, 'paid' AS step, amount FROM payments WHERE status = 'accepted';

CREATE MATERIALIZED TABLE shop_baskets WITH ('retention.time' = '2 h') AS
SELECT window_time AS ts, visit,
       COUNT(*)    FILTER (WHERE step = 'put')  AS items,
       SUM(amount) FILTER (WHERE step = 'put')  AS amount,
       COUNT(*)    FILTER (WHERE step = 'paid') AS paid
FROM SESSION(TABLE shop_basket_steps PARTITION BY visit, DESCRIPTOR(ts), INTERVAL '2' MINUTE)
GROUP BY window_start, window_end, window_time, visit
HAVING COUNT(*) FILTER (WHERE step = 'put') > 0;

CREATE MATERIALIZED TABLE shop_payments WITH ('retention.time' = '2 h') AS
SELECT window_time AS ts, status, COUNT(*) AS payments, SUM(amount) AS amount
FROM TUMBLE(TABLE payments, DESCRIPTOR(ts), INTERVAL '10' SECOND)
GROUP BY window_start, window_end, window_time, status;

-- Card testing: five or more cards of one device within a minute, not all of them good. The windows overlap, so that no burst falls between two, and
-- grouped by their start alone they tell at once, not when the minute is over. Nothing is kept of a device for longer than it takes.
SET 'table.exec.state.ttl' = '10 min';

CREATE MATERIALIZED TABLE card_testing AS
SELECT device, window_start AS since, COUNT(*) AS cards, SUM(payments) AS payments, SUM(declined) AS declined, MAX(last_at) AS last_at,
       ARRAY_SORT(ARRAY_AGG(first_at))[5] AS completed_at,           -- the fifth card
       ARRAY_SORT(ARRAY_AGG(seen_at))[5]  AS detected_at             -- when it was seen here
FROM (
  SELECT device, window_start, card, COUNT(*) AS payments, COUNT(*) FILTER (WHERE status = 'declined') AS declined,
         MIN(ts) AS first_at, MAX(ts) AS last_at, MIN(CURRENT_TIMESTAMP) AS seen_at
  FROM HOP(TABLE payments, DESCRIPTOR(ts), INTERVAL '15' SECOND, INTERVAL '1' MINUTE)
  GROUP BY device, window_start, card)
GROUP BY device, window_start
HAVING COUNT(*) >= 5 AND SUM(declined) > 0;

RESET 'table.exec.state.ttl';
