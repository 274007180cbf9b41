-- compare: watermark
-- A time attribute stays one through views, subqueries, new names and filters.

CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE VIEW renamed AS SELECT `at` AS happened, id * 10 AS number, item FROM orders WHERE id <> 12;
CREATE VIEW outer_view AS SELECT number + 1 AS n, happened AS event_time FROM (SELECT * FROM renamed WHERE item IS NOT NULL);
CREATE TABLE printed (e TIMESTAMP(3), n BIGINT, total BIGINT) WITH ('connector' = 'print');
INSERT INTO printed
SELECT window_end, COUNT(*), SUM(n)
FROM TABLE(TUMBLE(TABLE outer_view, DESCRIPTOR(event_time), INTERVAL '10' SECOND))
GROUP BY window_start, window_end;
