"""Suite recovery: how long a server takes after kill -9 until it serves again, and what its checkpoints cost.

A topic is filled with rows that a materialized table counts by a million keys. Then, while rows go on to come, the server is killed and started again:
the time from the start of the process until rows are taken, until the table is read, and until the table has every row. The promise is 5 seconds
until it serves. Checkpoints are watched through the load: with a million keys the merges of state files lie beside them.
"""

import datetime
import http.client
import pathlib
import signal
import threading
import time

from pipelines import Client

ROWS_A_REQUEST = 20_000
KEYS = 1_000_000
PROMISE_SECONDS = 5.0
LIMIT_SECONDS = 300

SCHEMA = [
    "CREATE TABLE events (id BIGINT, k BIGINT, v BIGINT)",
    "CREATE MATERIALIZED TABLE by_k AS SELECT k, COUNT(*) AS n, SUM(v) AS total FROM events GROUP BY k",
]


def body(first):
    # A key in a million, in an order that is none.
    return "".join(f'{{"id":{i},"k":{i * 7_919 % KEYS},"v":{i % 1_000}}}\n' for i in range(first, first + ROWS_A_REQUEST)).encode()


def send(client, first):
    client.post("/v1/tables/events/rows", body(first), "application/x-ndjson")


class Watch(threading.Thread):
    """The times of checkpoints, as /metrics tells them."""

    def __init__(self, tools, port):
        super().__init__(daemon=True)
        self.client, self.seen, self.ended, self.last = Client(tools, port), [], False, 0.0

    def run(self):
        while not self.ended:
            found = self.client.metrics()
            if found["arus_checkpoints_total"] != self.last:
                self.last = found["arus_checkpoints_total"]
                self.seen.append(found["arus_checkpoint_seconds"])
            time.sleep(0.05)

    def end(self):
        self.ended = True
        self.join()
        return sorted(self.seen)


def settled(tools, client, rows):
    """Waits until the table has every row; its seconds."""
    start = time.perf_counter()
    while time.perf_counter() - start < LIMIT_SECONDS:
        found = client.sql("SELECT SUM(n) AS n, COUNT(*) AS k FROM by_k")[0]
        if found["n"] is not None and int(found["n"]) >= rows:
            return time.perf_counter() - start, int(found["n"]), int(found["k"])
        time.sleep(0.1)
    raise tools.Trouble(f"the table did not get its {rows} rows within {LIMIT_SECONDS} s")


def serving(tools, port, started):
    """Seconds until the server is ready, and until the table is read."""
    ready = None
    while time.perf_counter() - started < LIMIT_SECONDS:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                ready = time.perf_counter() - started
                Client(tools, port).sql("SELECT COUNT(*) AS n FROM by_k")
                return ready, time.perf_counter() - started
        except OSError:
            pass
        time.sleep(0.002)
    raise tools.Trouble("the server did not serve again")


def suite(tools, folder, args):
    rows = args.events or 10_000_000
    rows -= rows % ROWS_A_REQUEST
    arus, data = tools.binary(), pathlib.Path(folder) / "data"
    port = tools.free_port()
    server = tools.Server(arus, data, http_port=port)
    server.first_answer()
    client = Client(tools, port)
    for statement in SCHEMA:
        client.sql(statement)
    watch = Watch(tools, port)
    watch.start()
    began = time.perf_counter()
    for first in range(0, rows, ROWS_A_REQUEST):
        send(client, first)
    loaded = time.perf_counter() - began
    settled(tools, client, rows)
    checkpoints = watch.end()
    sent, runs = rows, []
    for _ in range(args.runs):
        # Rows come until it is killed: some are beyond its last checkpoint.
        until = time.perf_counter() + 1.5
        while time.perf_counter() < until:
            send(client, sent)
            sent += ROWS_A_REQUEST
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        size = sum(f.stat().st_size for f in data.rglob("*") if f.is_file())
        state = sum(f.stat().st_size for f in (data / "state").iterdir())
        # The same ports do not matter: everything is asked by HTTP.
        server = tools.Server(arus, data, http_port=port)
        ready, read = serving(tools, port, server.started)
        client = Client(tools, port)
        figures = client.metrics()
        caught_up, found, keys = settled(tools, client, sent)
        if found != sent or keys != min(KEYS, sent):
            raise tools.Trouble(f"{found} rows of {sent}, {keys} keys: the table is wrong after the restart")
        runs.append((ready, read, caught_up, figures["arus_recovery_replayed_rows"], size, state, server.memory_mb()[0]))
    server.stop()
    worst = max(read for _, read, *_ in runs)
    at = lambda share: checkpoints[min(len(checkpoints) - 1, int(len(checkpoints) * share))]
    lines = [
        f"# recovery, {datetime.date.today().isoformat()}",
        "",
        f"    bench/run recovery --events {rows} --runs {args.runs}",
        "",
        f"Machine: {tools.machine()}. Commit {tools.commit()}. Profile: release.",
        "",
        f"{rows:,} rows in a topic, {KEYS:,} keys in a materialized table (COUNT, SUM). Killed by kill -9 while rows come; every row was counted once afterwards.",
        "",
        "| ready s | table read s | caught up after s | rows replayed | folder MB | state MB | RSS MB |",
        "|---|---|---|---|---|---|---|",
        *[f"| {ready:.2f} | {read:.2f} | {caught:.1f} | {replayed:,.0f} | {size / 1e6:,.0f} | {state / 1e6:,.0f} | {memory:,.0f} |"
          for ready, read, caught, replayed, size, state, memory in runs],
        "",
        f"The promise is {PROMISE_SECONDS:.0f} s until it serves: " + ("kept." if worst <= PROMISE_SECONDS else f"**missed, {worst:.1f} s.**"),
        "",
        f"Loading: {rows / loaded:,.0f} rows/s by HTTP. {len(checkpoints)} checkpoints meanwhile: median {at(0.5):.2f} s, p90 {at(0.9):.2f} s, the longest {checkpoints[-1]:.2f} s.",
        "",
    ]
    return "\n".join(lines)
