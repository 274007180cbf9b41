-- Payments by card, as they come: POST them to /v1/tables/payments/rows, or produce them to the topic `payments`.

CREATE TABLE payments (
  card    STRING,
  amount  DECIMAL(10, 2),
  country STRING,
  paid_at TIMESTAMP(3),
  WATERMARK FOR paid_at AS paid_at - INTERVAL '30' SECOND
);

-- Payments of one card that follow each other within five minutes.
CREATE MATERIALIZED TABLE sprees AS
SELECT card, window_start AS first_paid_at, window_end AS over_at,
       COUNT(*) AS payments, SUM(amount) AS total, COUNT(DISTINCT country) AS countries
FROM SESSION(TABLE payments PARTITION BY card, DESCRIPTOR(paid_at), INTERVAL '5' MINUTE)
GROUP BY card, window_start, window_end;

-- Those that somebody should look at, with the reason.
CREATE MATERIALIZED TABLE suspicions AS
SELECT card, first_paid_at, payments, total,
       CASE WHEN countries > 1 THEN 'more than one country'
            WHEN payments >= 4 THEN 'many payments'
            ELSE 'a large sum' END AS reason
FROM sprees
WHERE countries > 1 OR payments >= 4 OR total > 5000;

-- Somebody is told of each, and that it is over an hour later. Whom: `NOTIFY oncall`, with `oncall = "https://.."` under [notify] in
-- arus.toml, and its host under allow-host.
CREATE ALERT suspicious_card ON (SELECT card, payments, total, reason FROM suspicions)
  KEY (card) SEVERITY CRITICAL RESOLVE AFTER INTERVAL '1' HOUR
  SUMMARY 'card {card}: {reason}, {payments} payments of {total}';

-- What is known of a card: clients put rows here, one for each card.
CREATE TABLE cards (
  card    STRING,
  holder  STRING,
  blocked BOOLEAN,
  PRIMARY KEY (card) NOT ENFORCED
);
