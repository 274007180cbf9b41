-- This machine, once a second: a row for each figure of its CPU, memory, disks, network, load and busiest processes.

CREATE TABLE IF NOT EXISTS host_metrics (
  ts      TIMESTAMP_LTZ(3),
  kind    STRING,               -- cpu, memory, load, disk, network, process
  name    STRING,               -- which of them: cpu0, ram, a mount point, an interface, a program
  metric  STRING,               -- usage, used, read, received, ..
  `value` DOUBLE,
  -- Samples come in order; those of one moment share their time.
  WATERMARK FOR ts AS ts - INTERVAL '0.001' SECOND
) WITH ('connector' = 'host-metrics', 'interval' = '1 s', 'processes' = '10');

-- Windows of 5 seconds. Each result is appended once, when its window is over, so each table is a topic.
-- window_time is the window's last millisecond, with the type of ts.

CREATE MATERIALIZED TABLE host_cpu WITH ('retention.time' = '2 h') AS
SELECT window_time AS ts, name AS core, AVG(`value`) AS usage
FROM TUMBLE(TABLE host_metrics, DESCRIPTOR(ts), INTERVAL '5' SECOND)
WHERE kind = 'cpu'
GROUP BY window_start, window_end, window_time, name;

CREATE MATERIALIZED TABLE host_memory WITH ('retention.time' = '2 h') AS
SELECT window_time AS ts, name AS memory,
       AVG(CASE WHEN metric = 'used'      THEN `value` END) AS used_bytes,
       AVG(CASE WHEN metric = 'available' THEN `value` END) AS available_bytes,
       MAX(CASE WHEN metric = 'total'     THEN `value` END) AS total_bytes
FROM TUMBLE(TABLE host_metrics, DESCRIPTOR(ts), INTERVAL '5' SECOND)
WHERE kind = 'memory'
GROUP BY window_start, window_end, window_time, name;

CREATE MATERIALIZED TABLE host_load WITH ('retention.time' = '2 h') AS
SELECT window_time AS ts,
       AVG(CASE WHEN metric = '1m'  THEN `value` END) AS load_1m,
       AVG(CASE WHEN metric = '5m'  THEN `value` END) AS load_5m,
       AVG(CASE WHEN metric = '15m' THEN `value` END) AS load_15m
FROM TUMBLE(TABLE host_metrics, DESCRIPTOR(ts), INTERVAL '5' SECOND)
WHERE kind = 'load'
GROUP BY window_start, window_end, window_time;

CREATE MATERIALIZED TABLE host_disk WITH ('retention.time' = '2 h') AS
SELECT window_time AS ts, name AS mount,
       AVG(CASE WHEN metric = 'used'    THEN `value` END) AS used_bytes,
       MAX(CASE WHEN metric = 'total'   THEN `value` END) AS total_bytes,
       AVG(CASE WHEN metric = 'read'    THEN `value` END) AS read_per_s,
       AVG(CASE WHEN metric = 'written' THEN `value` END) AS written_per_s
FROM TUMBLE(TABLE host_metrics, DESCRIPTOR(ts), INTERVAL '5' SECOND)
WHERE kind = 'disk'
GROUP BY window_start, window_end, window_time, name;

CREATE MATERIALIZED TABLE host_network WITH ('retention.time' = '2 h') AS
SELECT window_time AS ts, name AS device,
       AVG(CASE WHEN metric = 'received'    THEN `value` END) AS received_per_s,
       AVG(CASE WHEN metric = 'transmitted' THEN `value` END) AS transmitted_per_s
FROM TUMBLE(TABLE host_metrics, DESCRIPTOR(ts), INTERVAL '5' SECOND)
WHERE kind = 'network'
GROUP BY window_start, window_end, window_time, name;

-- The busiest programs. A window has five samples; a program that is not among a sample's ten counts as 0 there.
CREATE MATERIALIZED TABLE host_processes WITH ('retention.time' = '2 h') AS
SELECT window_time AS ts, name AS program,
       SUM(CASE WHEN metric = 'cpu'    THEN `value` END) / 5 AS cpu,
       SUM(CASE WHEN metric = 'memory' THEN `value` END) / 5 AS memory_bytes
FROM TUMBLE(TABLE host_metrics, DESCRIPTOR(ts), INTERVAL '5' SECOND)
WHERE kind = 'process'
GROUP BY window_start, window_end, window_time, name
HAVING SUM(CASE WHEN metric = 'cpu' THEN `value` END) > 0;
