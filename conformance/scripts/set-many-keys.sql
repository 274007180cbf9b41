-- SET of many keys of Flink, in their formats, changes no result here.
-- dialect: S18 G

SET 'table.exec.mini-batch.enabled' = 'false';
SET 'table.exec.mini-batch.allow-latency' = '5 s';
SET 'table.optimizer.agg-phase-strategy' = 'ONE_PHASE';
SET 'table.exec.sink.upsert-materialize' = 'NONE';
SET 'table.exec.rank.topn-cache-size' = '20000';
SET 'execution.checkpointing.timeout' = '1 min';
SET 'taskmanager.memory.process.size' = '2 gb';
SET 'state.backend.type' = 'hashmap';
CREATE TABLE orders (
  id BIGINT, customer STRING, item STRING, amount INT, price DECIMAL(10, 2), `at` TIMESTAMP(3),
  WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (item STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO printed SELECT item, COUNT(*) FROM orders GROUP BY item;
RESET 'table.exec.mini-batch.allow-latency';
RESET;
INSERT INTO printed SELECT item, CAST(1 AS BIGINT) FROM orders WHERE id = 1;
