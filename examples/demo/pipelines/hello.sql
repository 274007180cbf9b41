-- A topic to post to. Any of these adds a row (the server prints its own addresses):
--   curl -H 'Content-Type: application/json' -d '{"name":"Ada","n":1}' http://127.0.0.1:8080/v1/tables/hello/rows
--   echo '{"name":"Grace","n":2}' | kcat -P -b 127.0.0.1:9092 -t hello
--   psql -h 127.0.0.1 -U arus arus -c "INSERT INTO hello VALUES ('Edsger', 3)"

CREATE TABLE IF NOT EXISTS hello (
  name STRING,
  n    INT
);

-- A count that changes with every row: an updating query, kept as a table with the key `name`.
CREATE MATERIALIZED TABLE hello_by_name AS
SELECT name, COUNT(*) AS events, SUM(n) AS total
FROM hello
GROUP BY name;
