-- ALTER TABLE of a source: computed columns, watermark and options change what the next query reads.
-- dialect: S9

CREATE TABLE source (id BIGINT, amount INT, `at` TIMESTAMP(3)) WITH ('connector' = 'filesystem', 'path' = 'data/empty.json', 'format' = 'json');
ALTER TABLE source SET ('path' = 'data/orders.json');
ALTER TABLE source ADD (price DECIMAL(10, 2), total AS amount * price);
ALTER TABLE source ADD WATERMARK FOR `at` AS `at`;
ALTER TABLE source MODIFY WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND;
CREATE TABLE windows (s TIMESTAMP(3), n BIGINT, total DECIMAL(38, 2)) WITH ('connector' = 'print');
INSERT INTO windows SELECT window_start, COUNT(*), SUM(total) FROM TUMBLE(TABLE source, DESCRIPTOR(`at`), INTERVAL '10' SECOND) GROUP BY window_start, window_end;
ALTER TABLE source DROP WATERMARK;
ALTER TABLE source MODIFY total AS amount * 1000;
ALTER TABLE source RENAME TO renamed;
ALTER TABLE IF EXISTS source RENAME TO other;
CREATE TABLE printed (id BIGINT, total INT) WITH ('connector' = 'print');
INSERT INTO printed SELECT id, total FROM renamed;
