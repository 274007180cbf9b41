-- ERROR ends the job.


SET 'arus.exec.error-policy' = 'fail';
SET 'table.exec.sink.type-length-enforcer' = 'ERROR';
CREATE TABLE orders (id BIGINT, customer VARCHAR(2)) WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json');
CREATE TABLE printed (id BIGINT, customer VARCHAR(2)) WITH ('connector' = 'print');
INSERT INTO printed SELECT * FROM orders;
