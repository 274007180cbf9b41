"""psqlODBC: the catalogue functions that Excel and Power BI call, types, parameters, cursors, errors."""

import datetime
import decimal
import os

import pyodbc
from report import HOST, PORT

driver = os.environ["PSQLODBC"]
options = f"DRIVER={driver};SERVER={HOST};PORT={PORT};DATABASE=arus;UID=arus;PWD=;SSLmode=disable"


def check(name, do):
    try:
        print(f"{name}: {do()}")
    except pyodbc.Error as error:
        code, text = (list(error.args) + [""])[:2]
        print(f"{name}: ! {type(error).__name__} {code} {text.splitlines()[0]}")


conn = pyodbc.connect(options, autocommit=True)


def rows(sql, *values):
    return [tuple(r) for r in conn.cursor().execute(sql, *values).fetchall()]


def some(found, *columns):
    return [tuple(getattr(r, c) for c in columns) for r in found]


cursor = conn.cursor()
check("SQLGetInfo", lambda: [conn.getinfo(i) for i in (pyodbc.SQL_DBMS_NAME, pyodbc.SQL_IDENTIFIER_QUOTE_CHAR, pyodbc.SQL_TXN_CAPABLE)])
# The system tables are the server's own affair.
check("SQLTables", lambda: sorted(t for t in some(cursor.tables(), "table_schem", "table_name", "table_type") if t[0] != "arus"))
check("SQLTables, of a schema", lambda: some(cursor.tables(schema="shop"), "table_schem", "table_name", "table_type"))
check("SQLTables, views", lambda: some(cursor.tables(tableType="VIEW"), "table_name", "table_type"))
check("SQLTables, schemas", lambda: sorted({r.table_schem for r in cursor.tables(catalog="", schema="%", table="")} - {None}))
check("SQLTables, types", lambda: sorted({r.table_type for r in cursor.tables(catalog="", schema="", table="", tableType="%")}))
check("SQLColumns", lambda: some(cursor.columns(table="orders", schema="public"), "column_name", "data_type", "type_name", "column_size", "decimal_digits", "nullable", "remarks", "ordinal_position"))
check("SQLColumns, all", lambda: len(cursor.columns(schema="public").fetchall()))
check("SQLPrimaryKeys", lambda: some(cursor.primaryKeys(table="orders", schema="public"), "table_name", "column_name", "key_seq"))
check("SQLForeignKeys", lambda: some(cursor.foreignKeys(table="orders", schema="public"), "fkcolumn_name"))
check("SQLStatistics", lambda: [tuple(r)[2:9] for r in cursor.statistics(table="orders", schema="public")])
check("SQLSpecialColumns", lambda: some(cursor.rowIdColumns(table="orders", schema="public"), "column_name", "type_name"))
check("SQLProcedures", lambda: len(cursor.procedures(schema="public").fetchall()))
check("SQLGetTypeInfo", lambda: sorted({r[0] for r in cursor.getTypeInfo()} & {"int8", "text", "numeric", "timestamp", "bool", "date", "bytea", "float8"}))
check("SQLTablePrivileges", lambda: conn.getinfo(pyodbc.SQL_ACCESSIBLE_TABLES))
check("types", lambda: rows("SELECT id, customer, amount, qty, price, ok, day, ts, tz, tags, info, raw, small, at, f FROM orders ORDER BY id"))
check("columns", lambda: [(d[0], d[1].__name__, d[4], d[5]) for d in conn.cursor().execute("SELECT * FROM orders").description])
check("parameters", lambda: rows("SELECT id FROM orders WHERE id = ? AND customer = ? AND amount = ? AND ok = ? AND day = ?", 1, "ada", decimal.Decimal("12.50"), True, datetime.date(2024, 1, 5)))
check("parameter, timestamp", lambda: rows("SELECT id FROM orders WHERE ts = ?", datetime.datetime(2024, 1, 5, 10, 0, 0, 123000)))
check("parameter, null", lambda: rows("SELECT ?::int AS nothing", None))
check("prepared again", lambda: [rows("SELECT customer FROM orders WHERE id = ?", i) for i in (1, 2)])


def transaction():
    other = pyodbc.connect(options, autocommit=False)
    try:
        found = [tuple(r) for r in other.cursor().execute("SELECT count(*) FROM orders")]
        other.commit()
        return found
    finally:
        other.close()


def fetched():
    fetching = pyodbc.connect(options + ";UseDeclareFetch=1;Fetch=10", autocommit=True)
    try:
        return sum(r[0] for r in fetching.cursor().execute("SELECT i FROM generate_series(1, 100) AS s (i)"))
    finally:
        fetching.close()


def too_long():
    slow = conn.cursor()
    slow.execute("SET statement_timeout = '500ms'")
    try:
        return rows("SELECT sum(a.i * b.i) FROM generate_series(1, 20000000) AS a (i), generate_series(1, 20000000) AS b (i)")
    finally:
        slow.execute("SET statement_timeout = 0")


check("transaction", transaction)
check("declare and fetch", fetched)
check("a BI tool's query", lambda: rows("SELECT \"customer\", COUNT(1) AS \"n\" FROM \"public\".\"orders\" \"t\" GROUP BY \"customer\" HAVING COUNT(1) > 0 ORDER BY 1"))
check("statement_timeout", too_long)
check("error", lambda: rows("SELECT nope FROM orders"))
check("after the error", lambda: rows("SELECT 1 AS one"))


def written():
    values = (10, "it's", decimal.Decimal("1.25"), 7, 2.5, datetime.date(2024, 1, 5), datetime.datetime(2024, 1, 5, 10, 0, 0, 123000), None)
    insert = 'INSERT INTO "public"."orders" ("id", customer, amount, qty, price, "day", ts, small) VALUES (?, ?, ?, ?, ?, ?, ?, ?)'
    found = [conn.cursor().execute(insert, *values).rowcount]
    found.append(conn.cursor().execute("UPDATE orders SET customer = ?, qty = qty + ? WHERE id = ?", "x", 1, 10).rowcount)
    found.append(rows("SELECT customer, amount, qty, price, day, ts, small FROM orders WHERE id = 10"))
    found.append(conn.cursor().execute("DELETE FROM orders WHERE id = ?", 10).rowcount)
    return found


check("written", written)
