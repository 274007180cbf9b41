-- LIKE with EXCLUDING and OVERWRITING: computed columns, the watermark and options give way to new ones.
-- dialect: S5

CREATE TABLE base (
  id BIGINT, amount INT, `at` TIMESTAMP(3), double_amount AS amount * 2, price DECIMAL(10, 2),
  WATERMARK FOR `at` AS `at`
) WITH ('connector' = 'filesystem', 'path' = 'data/nowhere.json', 'format' = 'json', 'json.ignore-parse-errors' = 'true');
CREATE TABLE over1 (double_amount AS amount * 20, WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND)
  WITH ('path' = 'data/orders.json')
  LIKE base (OVERWRITING GENERATED OVERWRITING WATERMARKS OVERWRITING OPTIONS);
CREATE TABLE plain WITH ('connector' = 'filesystem', 'path' = 'data/orders.json', 'format' = 'json')
  LIKE base (EXCLUDING ALL);
CREATE TABLE printed (id BIGINT, n INT) WITH ('connector' = 'print');
CREATE TABLE bare (id BIGINT, amount INT, `at` TIMESTAMP(3), price DECIMAL(10, 2)) WITH ('connector' = 'print');
INSERT INTO printed SELECT id, double_amount FROM over1;
INSERT INTO bare SELECT * FROM plain;
