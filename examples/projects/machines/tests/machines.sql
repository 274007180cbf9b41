-- A press that gets hot, and a drill that does not.
INSERT INTO readings VALUES
  ('press', 60.5, TIMESTAMP '2026-01-01 08:00:05'),
  ('drill', 40,   TIMESTAMP '2026-01-01 08:00:07'),
  ('press', 95,   TIMESTAMP '2026-01-01 08:00:40'),
  ('press', 92.5, TIMESTAMP '2026-01-01 08:01:20'),
  ('drill', 41,   TIMESTAMP '2026-01-01 08:02:10');

-- test: a minute that was too hot is one alarm
SELECT * FROM alarms;
-- | minute              | machine | hottest |
-- | 2026-01-01 08:00:00 | press   | 95.0    |
-- | 2026-01-01 08:01:00 | press   | 92.5    |

-- test: alarms are counted
-- end of input
SELECT * FROM alarm_counts;
-- | machine | alarms | hottest |
-- | press   | 2      | 95.0    |

-- test: the range of the last minute
SELECT measured_until, machine, coldest, hottest, readings FROM ranges WHERE machine = 'press';
-- | measured_until      | machine | coldest | hottest | readings |
-- | 2026-01-01 08:00:10 | press   | 60.5    | 60.5    | 1        |
-- | 2026-01-01 08:00:20 | press   | 60.5    | 60.5    | 1        |
-- | 2026-01-01 08:00:30 | press   | 60.5    | 60.5    | 1        |
-- | 2026-01-01 08:00:40 | press   | 60.5    | 60.5    | 1        |
-- | 2026-01-01 08:00:50 | press   | 60.5    | 95.0    | 2        |
-- | 2026-01-01 08:01:00 | press   | 60.5    | 95.0    | 2        |
-- | 2026-01-01 08:01:10 | press   | 95.0    | 95.0    | 1        |
-- | 2026-01-01 08:01:20 | press   | 95.0    | 95.0    | 1        |
-- | 2026-01-01 08:01:30 | press   | 92.5    | 95.0    | 2        |
-- | 2026-01-01 08:01:40 | press   | 92.5    | 95.0    | 2        |
-- | 2026-01-01 08:01:50 | press   | 92.5    | 92.5    | 1        |
-- | 2026-01-01 08:02:00 | press   | 92.5    | 92.5    | 1        |
