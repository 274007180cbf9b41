"""Suite pipelines: how many small pipelines over one topic a server carries, idle and busy.

For 0, 1, 10 and 100 pipelines: memory and CPU at rest; then under a steady rate of rows by HTTP the CPU by thread, the
epochs a second and the time from sending a row until `/changes` of a keyed table shows it. Each pipeline reads all rows
and counts and sums those of one tenant in a hundred by key; one more filters the probes, which are the rows of which the
time is taken. At the end the counts are compared with what was sent.
"""

import collections
import concurrent.futures
import datetime
import http.client
import json
import os
import pathlib
import statistics
import threading
import time

COUNTS = (0, 1, 10, 100)
KEYS = 1_000
TENANTS = 100
ROWS_A_REQUEST = 500
IDLE_SECONDS = 5
BUSY_SECONDS = 10
PROBES_A_SECOND = 20

TOPIC = "CREATE TABLE events (k STRING, v BIGINT)"
PROBE = "CREATE MATERIALIZED TABLE probes AS SELECT k, MAX(v) AS v FROM events WHERE v < 0 GROUP BY k"
PIPELINE = "CREATE MATERIALIZED TABLE t{i} AS SELECT k, COUNT(*) AS n, SUM(v) AS total\nFROM events WHERE v >= 0 AND MOD(v, 100) = {i} GROUP BY k"


class Client:
    """One connection to the HTTP door."""

    def __init__(self, tools, port):
        self.tools, self.connection = tools, http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def post(self, path, body, content_type="application/json"):
        self.connection.request("POST", path, body, {"Content-Type": content_type})
        answer = self.connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            raise self.tools.Trouble(f"POST {path}: {answer.status} {text[:500]}")
        return text

    def sql(self, statement):
        return [json.loads(line) for line in self.post("/v1/sql", json.dumps({"sql": statement})).splitlines()]

    def metrics(self):
        self.connection.request("GET", "/metrics")
        lines = self.connection.getresponse().read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def metric(self, name):
        return self.metrics()[name]

    def insert(self, rows):
        return self.post("/v1/tables/events/rows", rows, "application/x-ndjson")


def cpu_by_thread(pid):
    """CPU seconds of each name of a thread."""
    hertz = os.sysconf("SC_CLK_TCK")
    found = collections.Counter()
    for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            head, tail = stat.read_text().rsplit(")", 1)
        except (FileNotFoundError, ProcessLookupError):
            continue
        fields = tail.split()
        found[head.split("(", 1)[1]] += (int(fields[11]) + int(fields[12])) / hertz
    return found


class Probes(threading.Thread):
    """Sends a row at each of its times and notes when `/changes` of the table `probes` shows it."""

    def __init__(self, tools, port, seconds=BUSY_SECONDS):
        super().__init__(daemon=True)
        self.client, self.seconds = Client(tools, port), seconds
        self.stream = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.stream.request("GET", "/v1/tables/probes/changes")
        self.answer = self.stream.getresponse()
        self.sent, self.seen = {}, {}
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        try:
            for line in self.answer:
                if line.startswith(b"data:") and b'"probe' in line:
                    now = time.perf_counter()
                    self.seen.setdefault(json.loads(line[5:])["row"]["k"], now)
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            return

    def run(self):
        start = time.perf_counter()
        for i in range(self.seconds * PROBES_A_SECOND):
            # Against the time at which it was to be sent: a late sender is no excuse.
            due = start + i / PROBES_A_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))
            name = f"probe-{start}-{i}"
            self.sent[name] = due
            self.client.insert(json.dumps({"k": name, "v": -i - 1}).encode())

    def latencies(self):
        until = time.perf_counter() + 10
        while any(k not in self.seen for k in self.sent) and time.perf_counter() < until:
            time.sleep(0.01)
        found = sorted(self.seen[k] - due for k, due in self.sent.items() if k in self.seen)
        return found, len(self.sent) - len(found)


def load(tools, port, rate):
    """Rows at a steady rate; how many were acknowledged, and their sum."""
    client = Client(tools, port)
    bodies = []
    for part in range(KEYS // ROWS_A_REQUEST):
        keys = range(part * ROWS_A_REQUEST, (part + 1) * ROWS_A_REQUEST)
        bodies.append("".join(f'{{"k":"key-{k}","v":{k}}}\n' for k in keys).encode())
    start, requests = time.perf_counter(), int(rate * BUSY_SECONDS / ROWS_A_REQUEST)
    for i in range(requests):
        time.sleep(max(0.0, start + i * ROWS_A_REQUEST / rate - time.perf_counter()))
        client.insert(bodies[i % len(bodies)])
    return requests


def check(tools, client, tables, requests):
    """Every table has every row."""
    rows = requests * ROWS_A_REQUEST // TENANTS
    for table in tables:
        until = time.perf_counter() + 60
        while True:
            found = sum(row["n"] for row in client.sql(f"SELECT * FROM {table}"))
            if found == rows:
                break
            if time.perf_counter() > until or found > rows:
                raise tools.Trouble(f"{table} has {found} rows of {rows}")
            time.sleep(0.2)


def measure(tools, folder, arus, count, rate):
    port = tools.free_port()
    server = tools.Server(arus, pathlib.Path(folder) / f"data-{count}", http_port=port)
    try:
        server.first_answer()
        client = Client(tools, port)
        client.sql(TOPIC)
        client.sql(PROBE)
        tables = [f"t{i}" for i in range(count)]
        for i in range(count):
            client.sql(PIPELINE.format(i=i))
        time.sleep(2)
        pid = server.process.pid
        before, epoch = cpu_by_thread(pid), client.metric("arus_epoch")
        time.sleep(IDLE_SECONDS)
        idle = {
            "cpu": sum((cpu_by_thread(pid) - before).values()) / IDLE_SECONDS,
            "memory": server.memory_mb(),
        }
        probes = Probes(tools, port)
        before, epoch, (busy, ticks), began = cpu_by_thread(pid), client.metric("arus_epoch"), tools.cpu_of_machine(), time.perf_counter()
        own = time.process_time()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            loading = pool.submit(load, tools, port, rate)
            probes.start()
            probes.join()
            requests = loading.result()
        took = time.perf_counter() - began
        threads = cpu_by_thread(pid) - before
        busy_after, ticks_after = tools.cpu_of_machine()
        generator, used = time.process_time() - own, sum(threads.values())
        others = max(0.0, (busy_after - busy) / os.sysconf("SC_CLK_TCK") - used - generator) / max((ticks_after - ticks) / os.sysconf("SC_CLK_TCK"), 1e-9)
        latencies, lost = probes.latencies()
        check(tools, client, tables[:1] + tables[len(tables) // 2:][:1] + tables[-1:], requests)
        return {
            "idle": idle, "took": took, "cpu": used / took, "threads": threads, "memory": server.memory_mb(), "others": others,
            "rate": requests * ROWS_A_REQUEST / took, "epochs": (client.metric("arus_epoch") - epoch) / took,
            "generator": generator / took, "latencies": latencies, "lost": lost,
        }
    finally:
        server.stop()


def suite(tools, folder, args):
    arus, rate = tools.binary(), args.rate
    found = {count: measure(tools, folder, arus, count, rate) for count in COUNTS}
    at = lambda times, share: f"{times[min(len(times) - 1, int(len(times) * share))] * 1e3:.1f}" if times else "-"
    base = found[COUNTS[0]]
    busiest = max(run["others"] for run in found.values())
    lines = [
        f"# pipelines, {datetime.date.today().isoformat()}",
        "",
        f"    bench/run pipelines --rate {rate}",
        "",
        f"Machine: {tools.machine()}. Commit {tools.commit()}. Profile: release.",
        f"Others used up to {busiest:.0%} of the machine while rows came" + (
            f": **above {tools.BUSY_LIMIT:.0%}, so the run is void by the rules; take the figures as a first look.**" if busiest > tools.BUSY_LIMIT else "."),
        "",
        f"One topic of (k STRING, v BIGINT); each pipeline a materialized table, COUNT and SUM of one tenant of {TENANTS} by key, of {KEYS:,} keys in all. {rate:,} rows a second by HTTP,",
        f"{ROWS_A_REQUEST} a request, for {BUSY_SECONDS} s. CPU is that of the server, in shares of one core. A pipeline's part of memory and CPU is the difference to none but the probes'.",
        f"The time is that from sending a row until the table's `/changes` shows it, {PROBES_A_SECOND} such rows a second. The tables had every row at the end.",
        "",
        "| pipelines | idle CPU | idle RSS MB (own file) | RSS MB a pipeline | busy CPU | CPU a pipeline | busy RSS MB | rows/s | epochs/s | p50 ms | p99 ms | max ms |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for count, run in found.items():
        idle_mb, file_mb = run["idle"]["memory"]
        part = lambda value: f"{value / count:.3f}" if count else "-"
        late = run["latencies"]
        lines.append(
            f"| {count} | {run['idle']['cpu']:.1%} | {idle_mb:.0f} ({file_mb:.0f}) | {part(idle_mb - base['idle']['memory'][0])} | {run['cpu']:.1%} "
            f"| {part((run['cpu'] - base['cpu']) * 100)} % | {run['memory'][0]:.0f} | {run['rate']:,.0f} | {run['epochs']:.0f} "
            f"| {at(late, 0.5)} | {at(late, 0.99)} | {at(late, 1.0)} |"
            + (f" {run['lost']} probes never came |" if run["lost"] else ""))
    one, hundred = found[1]["cpu"], found[100]["cpu"]
    lines += [
        "",
        f"100 pipelines beside one: {hundred / one:.1f} times the CPU (gate 5, stretch 2.5).",
        "",
        "CPU by thread, in shares of one core while rows came:",
        "",
        "| pipelines | threads |",
        "|---|---|",
        *[f"| {count} | " + ", ".join(f"{name} {seconds / run['took']:.1%}" for name, seconds in run["threads"].most_common(8)) + " |" for count, run in found.items()],
        "",
        f"The load generator took up to {max(run['generator'] for run in found.values()):.0%} of a core beside it. Median of all probes: "
        f"{statistics.median([t for run in found.values() for t in run['latencies']]) * 1e3:.1f} ms.",
        "",
    ]
    return "\n".join(lines)
