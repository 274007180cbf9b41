-- SET and RESET: keys in quotes, a value that is used later in the script, a key that Flink does not know.

SET 'pipeline.name' = 'named; with a semicolon';
SET 'table.local-time-zone' = 'Asia/Shanghai';
SET 'no.such.key' = 'kept in silence';
CREATE TABLE printed (z TIMESTAMP_LTZ(3), t TIMESTAMP(3), s STRING) WITH ('connector' = 'print');
INSERT INTO printed SELECT z, CAST(z AS TIMESTAMP(3)), CAST(z AS STRING) FROM (SELECT TO_TIMESTAMP_LTZ(1709210096789, 3) AS z);
SET 'table.local-time-zone' = 'UTC';
INSERT INTO printed SELECT z, CAST(z AS TIMESTAMP(3)), CAST(z AS STRING) FROM (SELECT TO_TIMESTAMP_LTZ(1709210096789, 3) AS z);
RESET 'no.such.key';
SET 'table.local-time-zone' = 'America/New_York';
INSERT INTO printed SELECT z, t, DATE_FORMAT(z, 'yyyy-MM-dd HH:mm') FROM (
  SELECT CAST(TIMESTAMP '2024-07-01 12:00:00' AS TIMESTAMP_LTZ(3)) AS z, TIMESTAMP '2024-07-01 12:00:00' AS t);
