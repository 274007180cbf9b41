-- Told while it goes on: a device that tries out cards. One that has rested for two minutes and comes back is another case.
CREATE ALERT IF NOT EXISTS card_testers ON (
  SELECT device, cards, payments, declined, last_at FROM card_testing
  WHERE last_at > CURRENT_TIMESTAMP - INTERVAL '5' MINUTE        -- not what lay back when the demo began
) KEY (device) SEVERITY CRITICAL RESOLVE AFTER INTERVAL '2' MINUTE
SUMMARY 'device {device}: {cards} cards within a minute, {declined} payments declined';
