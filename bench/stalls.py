"""Suite stalls: what one pipeline, sink or client in trouble costs the others.

A small pipeline counts probes; the time from sending one until `/changes` shows it says whether the epochs of the others go on. It is taken alone,
then while a table is made over 10 M old rows, while a sink is dead, and while clients do not read what they asked for.
"""

import datetime
import json
import pathlib
import socket
import time

import recovery
from pipelines import PROBE, PROBES_A_SECOND, Client, Probes

SECONDS = 20
SILENT_CLIENTS = 20

# The probes' topic is `events`, as in the suite pipelines; recovery's rows are old here.
TABLES = ["CREATE TABLE events (k STRING, v BIGINT)", PROBE, "CREATE TABLE history (id BIGINT, k BIGINT, v BIGINT)"]
OVER_OLD = "CREATE MATERIALIZED TABLE by_k AS SELECT k, COUNT(*) AS n, SUM(v) AS total FROM history GROUP BY k"
DEAD = """CREATE TABLE dead (id BIGINT, k BIGINT, v BIGINT) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://127.0.0.1:{port}/none',
  'table-name' = 'dead', 'username' = 'nobody', 'password' = 'none')"""


def probe(tools, port, seconds):
    """Times of the probes in s, how many never came, epochs a second, and the longest checkpoint so far."""
    client = Client(tools, port)
    probes, epoch, began = Probes(tools, port, seconds), client.metric("arus_epoch"), time.perf_counter()
    probes.start()
    probes.join()
    took = time.perf_counter() - began
    times, lost = probes.latencies()
    return {"times": times, "lost": lost, "epochs": (client.metric("arus_epoch") - epoch) / took}


def silent(port, pg_port):
    """Clients that ask for much and read nothing."""
    sockets = []
    for number in range(SILENT_CLIENTS):
        s = socket.create_connection(("127.0.0.1", port))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        if number % 2:
            body = json.dumps({"sql": "SELECT * FROM history"}).encode()
            head = f"POST /v1/sql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            s.sendall(head.encode() + body)
        else:
            s.sendall(b"GET /v1/tables/by_k/changes HTTP/1.1\r\nHost: localhost\r\n\r\n")
        sockets.append(s)
    return sockets


def suite(tools, folder, args):
    rows = args.events or 10_000_000
    rows -= rows % recovery.ROWS_A_REQUEST
    arus, port = tools.binary(), tools.free_port()
    server = tools.Server(arus, pathlib.Path(folder) / "data", http_port=port, options=["--allow-host", "127.0.0.1"])
    found = {}
    try:
        server.first_answer()
        client = Client(tools, port)
        for statement in TABLES:
            client.sql(statement)
        for first in range(0, rows, recovery.ROWS_A_REQUEST):
            client.post("/v1/tables/history/rows", recovery.body(first), "application/x-ndjson")
        found["alone"] = probe(tools, port, SECONDS)
        client.sql(OVER_OLD)
        found[f"a table is made over {rows:,} old rows"] = probe(tools, port, SECONDS)
        _, count, _ = recovery.settled(tools, client, rows)
        if count != rows:
            raise tools.Trouble(f"the table over old rows counts {count} of {rows}")
        client.sql(DEAD.format(port=tools.free_port()))
        client.sql("INSERT INTO dead SELECT * FROM history")
        time.sleep(5)
        found["a sink is dead"] = probe(tools, port, args.seconds or SECONDS)
        if not sum(value for name, value in client.metrics().items() if name.startswith("arus_sink_failures_total")):
            raise tools.Trouble("the sink is not dead")
        clients = silent(port, server.port)
        time.sleep(2)
        found[f"{SILENT_CLIENTS} clients ask for all and read nothing, too"] = probe(tools, port, SECONDS)
        [s.close() for s in clients]
        memory = server.memory_mb()[0]
    finally:
        server.stop()
    at = lambda times, share: f"{times[min(len(times) - 1, int(len(times) * share))] * 1e3:.1f}" if times else "-"
    return "\n".join([
        f"# stalls, {datetime.date.today().isoformat()}",
        "",
        f"    bench/run stalls --events {rows}" + (f" --seconds {args.seconds}" if args.seconds else ""),
        "",
        f"Machine: {tools.machine()}. Commit {tools.commit()}. Profile: release.",
        "",
        f"{PROBES_A_SECOND} probes a second by HTTP; the time is from when a probe was due until `/changes` of a table that counts them shows it. The sink is dead for",
        f"{args.seconds or SECONDS} s: nothing listens at its address. Memory of the server at the end: {memory:.0f} MB.",
        "",
        "| meanwhile | epochs/s | p50 ms | p99 ms | max ms | never came |",
        "|---|---|---|---|---|---|",
        *[f"| {name} | {run['epochs']:.0f} | {at(run['times'], 0.5)} | {at(run['times'], 0.99)} | {at(run['times'], 1.0)} | {run['lost']} |" for name, run in found.items()],
        "",
    ])
