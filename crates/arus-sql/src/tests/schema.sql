CREATE TABLE orders (
  order_id BIGINT,
  user_id INT,
  item STRING,
  amount DOUBLE,
  ts TIMESTAMP(3),
  detail ROW<color STRING, size_cm INT>,
  tags ARRAY<STRING>,
  doubled AS amount * 2,
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
);
CREATE TABLE clicks (
  url STRING,
  user_id INT,
  `offset` BIGINT METADATA VIRTUAL,
  at_ms BIGINT,
  proc AS PROCTIME()
);
CREATE TABLE counts (
  user_id INT,
  n BIGINT,
  PRIMARY KEY (user_id) NOT ENFORCED
);
CREATE TABLE by_item (
  item STRING,
  user_id INT,
  n BIGINT,
  PRIMARY KEY (item, user_id) NOT ENFORCED
);
CREATE TABLE log (id BIGINT, what STRING);
CREATE TABLE out_print (user_id INT, n BIGINT) WITH ('connector' = 'print');
CREATE TABLE out_append (user_id INT, n BIGINT) WITH ('connector' = 'filesystem', 'path' = '/x', 'format' = 'json');
CREATE TABLE strict (id BIGINT NOT NULL, small TINYINT, name VARCHAR(10));
CREATE VIEW big AS SELECT order_id, user_id, amount FROM orders WHERE amount > 100;
CREATE VIEW renamed (a, b) AS SELECT order_id, item FROM orders;
CREATE TABLE gone (a INT) WITH ('connector' = 'prnt');
CREATE VIEW both_times AS SELECT ts, user_id FROM orders UNION ALL SELECT ts, 1 FROM orders WHERE item IS NULL
