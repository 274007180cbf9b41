"""psycopg 2: literals in the client, named cursors, copy_expert, autocommit and transactions."""

import datetime
import decimal
import io
import threading
import time

import psycopg2
from report import HOST, LONG, PORT, check

conn = psycopg2.connect(host=HOST, port=PORT, user="arus", dbname="arus")


def rows(sql, params=None):
    with conn.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def whole(do):
    try:
        return do()
    finally:
        conn.rollback()


check("types", lambda: whole(lambda: rows("SELECT id, customer, amount, qty, price, ok, day, ts, tz, tags, info, small, at, f FROM orders ORDER BY id")))
check("bytes", lambda: whole(lambda: [bytes(r[0]) if r[0] is not None else None for r in rows("SELECT raw FROM orders ORDER BY id")]))


def cancelled():
    def later():
        time.sleep(0.5)
        conn.cancel()

    thread = threading.Thread(target=later)
    thread.start()
    try:
        return rows(LONG)
    finally:
        thread.join()


check("cancel", lambda: whole(cancelled))
check("literals", lambda: whole(lambda: rows("SELECT id FROM orders WHERE day = %s AND ts = %s AND amount = %s AND ok = %s AND id IN %s", (datetime.date(2024, 1, 5), datetime.datetime(2024, 1, 5, 10, 0, 0, 123000), decimal.Decimal("12.5"), True, (1, 2)))))
check("array", lambda: whole(lambda: rows("SELECT id FROM orders WHERE id = ANY(%s) ORDER BY id", ([1, 3],))))


def named():
    with conn.cursor("named") as cursor:
        cursor.itersize = 2
        cursor.execute("SELECT id FROM orders ORDER BY id")
        return cursor.fetchmany(2), list(cursor)


def copied():
    out = io.StringIO()
    with conn.cursor() as cursor:
        cursor.copy_expert("COPY (SELECT id, customer FROM orders ORDER BY id) TO STDOUT WITH CSV HEADER", out)
    return out.getvalue()


check("named cursor", lambda: whole(named))
check("copy_expert", lambda: whole(copied))
check("error", lambda: whole(lambda: rows("SELECT nope FROM orders")))
check("session", lambda: (conn.set_session(readonly=True, isolation_level="REPEATABLE READ"), whole(lambda: rows("SELECT 1")))[1])
check("parameters", lambda: [conn.get_parameter_status(n) for n in ("server_version", "client_encoding", "standard_conforming_strings", "DateStyle", "integer_datetimes")])


def written():
    values = (10, "it's", decimal.Decimal("1.25"), 7, 2.5, True, datetime.date(2024, 1, 5), datetime.datetime(2024, 1, 5, 10, 0, 0, 123000), ["a", "'"], b"\x00'")
    insert = 'INSERT INTO orders (id, customer, amount, qty, price, ok, "day", ts, tags, "raw") VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)'
    found = [executed(insert, values)]
    found.append(executed("UPDATE orders SET customer = %s, qty = qty + %s WHERE id = %s", ("x", 1, 10)))
    found.append(whole(lambda: rows("SELECT customer, amount, qty, price, ok, day, ts, tags, encode(raw, 'hex') FROM orders WHERE id = 10")))
    found.append(executed("DELETE FROM orders WHERE id = %s", (10,)))
    return found


def executed(sql, values):
    def run():
        with conn.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.statusmessage

    return whole(run)


conn.set_session(readonly=False)
check("written", written)
