// node-postgres: parameters, types, cursors, errors, pools.
import pg from "pg";
import Cursor from "pg-cursor";

const options = { host: "127.0.0.1", port: Number(process.env.PGPORT), user: "arus", database: "arus" };
const client = new pg.Client(options);
await client.connect();

async function check(name, run) {
  try {
    console.log(`${name}: ${JSON.stringify(await run())}`);
  } catch (error) {
    console.log(`${name}: ! ${error.constructor.name} ${error.code ?? ""} ${error.message.split("\n")[0]} at ${error.position ?? "-"}`);
  }
}

const rows = async (text, values) => (await client.query({ text, values, rowMode: "array" })).rows;

await check("types", () => rows("SELECT id, customer, amount, qty, price, ok, ts, tz, tags, info, raw, small, at, f FROM orders ORDER BY id"));
await check("fields", async () => (await client.query("SELECT * FROM orders LIMIT 1")).fields.map((f) => [f.name, f.dataTypeID, f.dataTypeModifier]));
await check("parameters", () => rows("SELECT id FROM orders WHERE id = $1 AND customer = $2 AND ok = $3", [1, "ada", true]));
await check("array", () => rows("SELECT id FROM orders WHERE id = ANY($1) ORDER BY id", [[1, 3]]));
await check("date", () => rows("SELECT id FROM orders WHERE tz <= $1 ORDER BY id", [new Date(0)]));
await check("null and json", () => rows("SELECT $1::text, $2::jsonb ->> 'a'", [null, { a: 1 }]));
await check("prepared", async () => {
  const query = { name: "by id", text: "SELECT customer FROM orders WHERE id = $1" };
  return [(await client.query({ ...query, values: [1] })).rows, (await client.query({ ...query, values: [2] })).rows];
});
await check("several", async () => (await client.query("SELECT 1 AS a; SELECT 2 AS b")).map((r) => r.rows));
await check("cursor", async () => {
  const cursor = client.query(new Cursor("SELECT id FROM orders ORDER BY id"));
  const read = [await cursor.read(2), await cursor.read(2)];
  await cursor.close();
  return read;
});
await check("statement_timeout", async () => {
  await client.query("SET statement_timeout = '500ms'");
  try {
    return await rows("SELECT sum(a.i * b.i) FROM generate_series(1, 20000000) AS a (i), generate_series(1, 20000000) AS b (i)");
  } finally {
    await client.query("RESET statement_timeout");
  }
});
await check("error", () => rows("SELECT nope FROM orders"));
await check("after the error", () => rows("SELECT 1 AS one"));
await check("transaction", async () => {
  await client.query("BEGIN READ ONLY");
  const found = await rows("SELECT count(*) FROM orders");
  await client.query("COMMIT");
  return found;
});
await check("written", async () => {
  const insert = "INSERT INTO orders (id, customer, amount, qty, ok, tz, tags, \"raw\") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
  const found = [(await client.query(insert, [10, "it's", "1.25", 7, true, new Date(0), ["a", "'"], Buffer.from([0, 39])])).rowCount];
  found.push((await client.query("UPDATE orders SET customer = $1, qty = qty + $2 WHERE id = $3", ["x", 1, 10])).rowCount);
  found.push(await rows("SELECT customer, amount, qty, ok, tz, tags, raw FROM orders WHERE id = 10"));
  found.push((await client.query("DELETE FROM orders WHERE id = $1", [10])).rowCount);
  return found;
});
await client.end();
const pool = new pg.Pool({ ...options, max: 2 });
await check("pool", async () => (await Promise.all([1, 2, 3].map((i) => pool.query("SELECT $1::int AS i", [i])))).map((r) => r.rows[0].i));
await pool.end();
