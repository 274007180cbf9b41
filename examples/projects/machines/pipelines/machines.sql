-- Readings of machines, as they come: POST them to /v1/tables/readings/rows, or produce them to the topic `readings`.

CREATE TABLE readings (
  machine     STRING,
  temperature DOUBLE,
  measured_at TIMESTAMP(3),
  WATERMARK FOR measured_at AS measured_at - INTERVAL '10' SECOND
);

-- The range of each machine over a minute, every ten seconds.
CREATE MATERIALIZED TABLE ranges AS
SELECT window_end AS measured_until, machine, MIN(temperature) AS coldest, MAX(temperature) AS hottest, COUNT(*) AS readings
FROM HOP(TABLE readings, DESCRIPTOR(measured_at), INTERVAL '10' SECOND, INTERVAL '1' MINUTE)
GROUP BY window_start, window_end, machine;

-- Minutes in which a machine was too hot.
CREATE VIEW too_hot AS
SELECT window_start AS `minute`, machine, MAX(temperature) AS hottest
FROM TUMBLE(TABLE readings, DESCRIPTOR(measured_at), INTERVAL '1' MINUTE)
GROUP BY window_start, window_end, machine
HAVING MAX(temperature) > 90;

CREATE MATERIALIZED TABLE alarms AS SELECT * FROM too_hot;

-- How often each machine was too hot.
CREATE MATERIALIZED TABLE alarm_counts AS
SELECT machine, COUNT(*) AS alarms, MAX(hottest) AS hottest FROM too_hot GROUP BY machine;
