"""asyncpg: binary both ways, prepared statements, cursors, introspection, copy, pools with their reset."""

import asyncio
import datetime
import decimal
import io

import asyncpg
from report import HOST, LONG, PORT


async def check(name, do):
    try:
        print(f"{name}: {await do()}")
    except Exception as error:
        print(f"{name}: ! {type(error).__name__} {getattr(error, 'sqlstate', '')} {(str(error).splitlines() or [''])[0]}")


async def main():
    options = {"host": HOST, "port": PORT, "user": "arus", "database": "arus"}
    conn = await asyncpg.connect(**options)

    async def rows(sql, *args):
        return [tuple(r) for r in await conn.fetch(sql, *args)]

    await check("types", lambda: rows("SELECT * FROM orders ORDER BY id"))
    await check("int", lambda: rows("SELECT id FROM orders WHERE id = $1", 1))
    await check("text", lambda: rows("SELECT id FROM orders WHERE customer = $1", "bob"))
    await check("numeric", lambda: rows("SELECT id FROM orders WHERE amount = $1", decimal.Decimal("12.50")))
    await check("date", lambda: rows("SELECT id FROM orders WHERE day = $1", datetime.date(2024, 1, 5)))
    await check("timestamp", lambda: rows("SELECT id FROM orders WHERE ts = $1", datetime.datetime(2024, 1, 5, 10, 0, 0, 123000)))
    await check("timestamptz", lambda: rows("SELECT id FROM orders WHERE tz < $1", datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc)))
    await check("any", lambda: rows("SELECT id FROM orders WHERE id = ANY($1) ORDER BY id", [1, 3]))
    await check("cast", lambda: rows("SELECT $1::int, $2::text, $3::numeric, $4::bytea", 1, "x", decimal.Decimal("1.5"), b"\x01"))
    await check("limit", lambda: rows("SELECT id FROM orders ORDER BY id LIMIT $1", 2))

    async def prepared():
        statement = await conn.prepare("SELECT id, customer FROM orders WHERE id > $1 ORDER BY id")
        names = [(a.name, a.type.name) for a in statement.get_attributes()]
        return [p.name for p in statement.get_parameters()], names, [tuple(r) for r in await statement.fetch(1)]

    async def cursor():
        async with conn.transaction():
            return [r["id"] async for r in conn.cursor("SELECT id FROM orders ORDER BY id", prefetch=2)]

    async def copied():
        out = io.BytesIO()
        status = await conn.copy_from_query("SELECT id, customer FROM orders WHERE id < $1 ORDER BY id", 3, output=out, format="csv")
        return status, out.getvalue()

    async def pool():
        async with asyncpg.create_pool(min_size=1, max_size=1, **options) as pool:
            first = await pool.fetchval("SELECT count(*) FROM orders")
            return first, await pool.fetchval("SELECT max(id) FROM orders")

    await check("prepared", prepared)
    await check("cursor", cursor)
    await check("copy", copied)
    await check("pool", pool)
    async def too_long():
        await conn.fetch(LONG, timeout=0.5)

    await check("timeout", too_long)
    await check("after the timeout", lambda: rows("SELECT 1"))
    await check("error", lambda: rows("SELECT nope FROM orders"))
    await check("version", lambda: asyncio.sleep(0, conn.get_server_version()[:2]))
    async def written():
        values = (10, "it's", decimal.Decimal("1.25"), 7, 2.5, True, datetime.date(2024, 1, 5), datetime.datetime(2024, 1, 5, 10, 0, 0, 123000), ["a", "'"], b"\x00'")
        insert = 'INSERT INTO orders (id, customer, amount, qty, price, ok, "day", ts, tags, "raw") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)'
        found = [await conn.execute(insert, *values)]
        await conn.executemany("INSERT INTO orders (id, customer) VALUES ($1, $2)", [(11, "a"), (12, None)])
        found.append(await conn.execute("UPDATE orders SET customer = $1, qty = qty + $2 WHERE id = $3", "x", 1, 10))
        found.append(await rows("SELECT customer, amount, qty, price, ok, day, ts, tags, raw FROM orders WHERE id = 10"))
        found.append(await conn.execute("DELETE FROM orders WHERE id >= $1", 10))
        return found

    await check("written", written)
    await conn.close()


asyncio.run(main())
