"""psycopg 3: parameters in both formats, rows in both, server-side cursors, COPY, transactions, errors."""

import datetime
import decimal
import threading
import time
import uuid

import psycopg
from psycopg.rows import dict_row
from report import HOST, LONG, PORT, check

conn = psycopg.connect(host=HOST, port=PORT, user="arus", dbname="arus", autocommit=True)


def rows(sql, params=None, **options):
    cursor = conn.cursor(**options)
    cursor.execute(sql, params)
    return cursor.fetchall()


check("types, text", lambda: rows("SELECT * FROM orders ORDER BY id"))
check("types, binary", lambda: rows("SELECT * FROM orders ORDER BY id", binary=True))
check("columns", lambda: [(d.name, d.type_code, d.precision, d.scale) for d in conn.execute("SELECT * FROM orders").description])
values = {
    "smallint": 1, "bigint": 2**40, "text": "it's", "numeric": decimal.Decimal("12.50"), "double precision": 0.1,
    "boolean": True, "date": datetime.date(2024, 2, 29), "timestamp": datetime.datetime(2024, 2, 29, 1, 2, 3, 4),
    "timestamptz": datetime.datetime(2024, 2, 29, 1, 2, 3, tzinfo=datetime.timezone.utc), "time": datetime.time(1, 2, 3),
    "interval": datetime.timedelta(days=1, seconds=2), "bytea": b"\x00\xff", "int[]": [1, 2, None], "text[]": ["a", 'b"c'],
    "uuid": uuid.UUID(int=7),
}
for name, value in values.items():
    for form in ("%s", "%b", "%t"):
        if form == "%b" and name == "uuid":
            continue
        check(f"parameter {name} {form}", lambda: rows(f"SELECT {form}::{name}" if name != "uuid" else f"SELECT {form}::text", (value,)))
check("null", lambda: rows("SELECT %s::int, %s IS NULL", (None, None)))
check("where", lambda: rows("SELECT id FROM orders WHERE id = %s AND customer = %s AND amount = %s AND day = %s", (1, "ada", decimal.Decimal("12.5"), datetime.date(2024, 1, 5))))
check("any", lambda: rows("SELECT id FROM orders WHERE id = ANY(%s) ORDER BY id", ([1, 2],)))
check("limit", lambda: rows("SELECT id FROM orders ORDER BY id LIMIT %s OFFSET %s", (1, 1)))
check("dict rows", lambda: conn.cursor(row_factory=dict_row).execute("SELECT id, customer FROM orders WHERE id = 1").fetchall())
check("prepared", lambda: [conn.execute("SELECT customer FROM orders WHERE id = %s", (i,), prepare=True).fetchone() for i in (1, 2, 3)])


def pipeline():
    with conn.pipeline():
        a = conn.execute("SELECT count(*) FROM events")
        b = conn.execute("SELECT max(id) FROM events")
    return a.fetchone(), b.fetchone()


def server_cursor():
    with conn.transaction(), conn.cursor("some name") as cursor:
        cursor.itersize = 2
        cursor.execute("SELECT id FROM events ORDER BY id")
        return cursor.fetchmany(1), cursor.fetchall()


def copied(statement):
    with conn.cursor().copy(statement) as copy:
        return [bytes(part) for part in copy]


def copied_rows():
    with conn.cursor().copy("COPY (SELECT id, name FROM events ORDER BY id) TO STDOUT (FORMAT binary)") as copy:
        copy.set_types(["int8", "text"])
        return list(copy.rows())


def snapshot():
    with conn.transaction():
        before = rows("SELECT count(*) FROM events")
        with psycopg.connect(host=HOST, port=PORT, user="arus", dbname="arus", autocommit=True) as other:
            other.execute("INSERT INTO events VALUES (4, 'later')")
            seen = other.execute("SELECT count(*) FROM events").fetchall()
        within = rows("SELECT count(*) FROM events")
    return before, seen, within, rows("SELECT count(*) FROM events")


def failed():
    seen = []
    conn.execute("BEGIN")
    for statement in ("SELECT nope FROM events", "SELECT 1", "COMMIT"):
        try:
            seen.append(conn.execute(statement).statusmessage)
        except psycopg.Error as error:
            seen.append(error.sqlstate)
    return seen


def savepoints():
    with conn.transaction():
        try:
            with conn.transaction():
                conn.execute("SELECT nope FROM events")
        except psycopg.Error:
            pass
        return rows("SELECT 1 AS still")


def cancelled():
    def later():
        time.sleep(0.5)
        conn.cancel()

    thread = threading.Thread(target=later)
    thread.start()
    try:
        rows(LONG)
    finally:
        thread.join()


def too_long():
    conn.execute("SET statement_timeout = '200ms'")
    try:
        rows(LONG)
    finally:
        conn.execute("RESET statement_timeout")


check("pipeline", pipeline)
check("server-side cursor", server_cursor)
check("copy text", lambda: copied("COPY orders (id, customer, amount, tags) TO STDOUT"))
check("copy csv", lambda: copied("COPY (SELECT id, customer, ts FROM orders ORDER BY id) TO STDOUT (FORMAT csv, HEADER)"))
check("copy binary", copied_rows)
check("copy from", lambda: copied("COPY events FROM STDIN"))
check("snapshot", snapshot)
check("failed transaction", failed)
check("savepoints", savepoints)
check("cancel", cancelled)
check("statement_timeout", too_long)
check("undefined column", lambda: rows("SELECT nope FROM events"))
check("undefined table", lambda: rows("SELECT * FROM nope"))
check("undefined function", lambda: rows("SELECT nope(1)"))
check("syntax", lambda: rows("SELEC 1"))
check("division by zero", lambda: rows("SELECT 1 / (id - id) FROM events"))
check("bad text", lambda: rows("SELECT 'x'::int"))
check("time zone", lambda: (conn.execute("SET TIME ZONE 'Europe/Berlin'"), rows("SELECT tz::text, tz FROM orders WHERE id = 1"), conn.execute("RESET timezone"))[1])
check("listen", lambda: conn.execute("LISTEN news"))
check("info", lambda: (conn.info.server_version, conn.info.encoding, str(conn.info.timezone), conn.info.dbname, conn.info.user))
check("type lookup", lambda: psycopg.types.TypeInfo.fetch(conn, "int4"))
check("discard", lambda: conn.execute("DISCARD ALL").statusmessage)


def written():
    values = (10, "it's", decimal.Decimal("1.25"), 7, 2.5, True, datetime.date(2024, 1, 5), datetime.datetime(2024, 1, 5, 10, 0, 0, 123000), ["a", "'"], b"\x00'")
    insert = 'INSERT INTO orders (id, customer, amount, qty, price, ok, "day", ts, tags, "raw") VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)'
    found = [executed(insert, values)]
    found.append(executed("UPDATE orders SET customer = %s, qty = qty + %s WHERE id = %s", ("x", 1, 10)))
    found.append(rows("SELECT customer, amount, qty, price, ok, day, ts, tags, raw FROM orders WHERE id = 10"))
    found.append(executed("DELETE FROM orders WHERE id = %s", (10,)))
    return found


def executed(sql, values):
    return conn.execute(sql, values).statusmessage


check("written", written)
