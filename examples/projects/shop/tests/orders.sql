-- Orders of two customers.
INSERT INTO orders VALUES
  (1, 'Ada',   'tea',    12.50, TIMESTAMP '2026-01-01 09:00:10'),
  (2, 'Grace', 'kettle', 130.00, TIMESTAMP '2026-01-01 09:00:20'),
  (3, 'Ada',   'tea',    12.50, TIMESTAMP '2026-01-01 09:01:30');

-- test: customers have the sum of their orders
SELECT customer, orders, total FROM customers;
-- | customer | orders | total  |
-- | Ada      | 2      | 25.00  |
-- | Grace    | 1      | 130.00 |

-- test: a minute shows once it is over
-- The watermark stands at 09:01:25: the first minute is over, the second one is not.
SELECT * FROM sales;
-- | minute              | product | orders | total  |
-- | 2026-01-01 09:00:00 | kettle  | 1      | 130.00 |
-- | 2026-01-01 09:00:00 | tea     | 1      | 12.50  |

-- end of input
SELECT * FROM sales;
-- | minute              | product | orders | total  |
-- | 2026-01-01 09:00:00 | kettle  | 1      | 130.00 |
-- | 2026-01-01 09:00:00 | tea     | 1      | 12.50  |
-- | 2026-01-01 09:01:00 | tea     | 1      | 12.50  |

-- test: an order that comes after its minute is in no sum of that minute
INSERT INTO orders VALUES (4, 'Ada', 'tea', 5.00, TIMESTAMP '2026-01-01 09:00:59');
SELECT total FROM sales WHERE product = 'tea';
-- | total |
-- | 12.50 |

SELECT customer, total FROM customers;
-- by customer
-- | customer | total |
-- | Ada      | 30.00 |

-- test: large orders
SELECT * FROM large_orders;
-- | id | customer | amount |
-- | 2  | Grace    | 130.00 |
