-- Payments of three cards.
INSERT INTO payments VALUES
  ('c1', 20.00,   'DE', TIMESTAMP '2026-01-01 10:00:00'),
  ('c2', 15.00,   'FR', TIMESTAMP '2026-01-01 10:00:30'),
  ('c1', 25.00,   'US', TIMESTAMP '2026-01-01 10:02:00'),
  ('c3', 6000.00, 'IT', TIMESTAMP '2026-01-01 10:03:00'),
  ('c2', 15.00,   'FR', TIMESTAMP '2026-01-01 10:20:00');

-- test: two countries within five minutes, and a large sum
SELECT card, payments, reason FROM suspicions;
-- | card | payments | reason                |
-- | c1   | 2        | more than one country |
-- | c3   | 1        | a large sum           |

-- test: somebody is told of them: an alert is the table of its rows here
SELECT card, reason FROM suspicious_card;
-- | card | reason                |
-- | c1   | more than one country |
-- | c3   | a large sum           |

-- test: payments far apart are no spree
-- end of input
SELECT card, payments, total FROM sprees WHERE card = 'c2';
-- | card | payments | total |
-- | c2   | 1        | 15.00 |
-- | c2   | 1        | 15.00 |

-- test: a card is blocked
INSERT INTO cards VALUES ('c1', 'Ada', FALSE), ('c2', 'Grace', FALSE);
INSERT INTO cards VALUES ('c1', 'Ada', TRUE);
SELECT * FROM cards;
-- | card | holder | blocked |
-- | c1   | Ada    | true    |
-- | c2   | Grace  | false   |
