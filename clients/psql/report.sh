#!/usr/bin/env bash
# psql: its backslash commands, \copy, \gdesc, variables, errors with their place.
set -u
run() { psql -X -q -h 127.0.0.1 -U arus -d arus -P pager=off "$@" 2>&1; }
for command in '\d' '\d+' '\d orders' '\d+ orders' '\d big_orders' '\d+ big_orders' '\dt' '\dt+' '\dt *.*items' '\dv' '\dv+' '\dm' '\di' '\df' '\l' '\l+' '\dn' '\dn+' '\du' '\dx' '\ds' '\dp' '\db' '\dT orders' '\dA' '\des' '\dy' '\sv big_orders'; do
  echo "== $command"
  run -c "$command"
done
echo "== expanded"
run -c '\x' -c 'SELECT id, customer, tags, info FROM orders ORDER BY id'
echo "== described"
run <<'SQL'
SELECT id, amount, ts, tags, info FROM orders \gdesc
SQL
echo "== copied"
run -c '\copy (SELECT id, customer, amount FROM orders ORDER BY id) TO STDOUT WITH CSV HEADER'
run -c '\copy events (id) to stdout' | sort
echo "== error"
run -v VERBOSITY=verbose -c 'SELECT id, nope FROM orders'
run -c 'SELECT * FROM missing'
run -v VERBOSITY=verbose -c 'SELECT id FROM orders WHERE id = '
echo "== settings"
run -c 'SHOW server_version' -c "SET datestyle = 'ISO, DMY'" -c 'SHOW datestyle' -c 'SHOW TimeZone'
echo "== cursor"
run <<'SQL'
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM orders ORDER BY id;
FETCH 2 FROM c;
MOVE 1 IN c;
FETCH ALL FROM c;
CLOSE c;
COMMIT;
SQL
echo "== changes"
run <<'SQL'
SET arus.fetch.timeout = '30s';
BEGIN;
DECLARE tail CURSOR FOR SELECT * FROM "by_customer$changes";
FETCH 1 FROM tail \g (tuples_only=on format=unaligned) | cut -d'|' -f1
COMMIT;
SQL
