"""Suite cores: what a second core brings.

A topic with two partitions holds Nexmark's bids as JSON. Two queries read it from the start into blackhole: a count per key, whose
rows change hands between the cores, and q1's projection, whose rows do not. Each runs by turns on the same folder in a server
that has one core of the machine (by its CPU affinity, as taskset sets it), in one that has two, and, to tell apart what the
second data thread brings, in one with a single data thread that has two cores for its other threads. The gate is for the first
and the second. The time is that from the start of the pipeline until it has read every row. Before that the counts are compared
with the input's.
"""

import collections
import datetime
import importlib
import json
import pathlib
import statistics
import sys
import time

# Name: cores, data threads.
SETUPS = {"1 core": (1, 1), "2 cores": (2, 2), "2 cores, one data thread": (2, 1)}
BASE, FULL = "1 core", "2 cores"
GATE, STRETCH = 1.75, 1.9
SECONDS_LIMIT = 600
POLL_SECONDS = 0.02

TABLE = (
    "CREATE TABLE bid (auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` TIMESTAMP(3),"
    " extra STRING) WITH ('partitions' = '2')"
)
FILE = (
    "CREATE TABLE file (auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` TIMESTAMP(3),"
    " extra STRING) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json')"
)
FILL = "INSERT INTO bid SELECT * FROM file"
QUERIES = {
    "count per key": ("auction BIGINT, n BIGINT, PRIMARY KEY (auction) NOT ENFORCED", "SELECT auction, COUNT(*) AS n FROM bid GROUP BY auction"),
    "q1": (
        "auction BIGINT, bidder BIGINT, price DECIMAL(23, 3), `dateTime` TIMESTAMP(3), extra STRING",
        "SELECT auction, bidder, 0.908 * price AS price, `dateTime`, extra FROM bid",
    ),
}


class Running:
    """A server on the folder, with a client."""

    def __init__(self, tools, folder, arus, setup, source):
        cores, parallelism = SETUPS[setup]
        self.tools, self.helpers = tools, importlib.import_module("pipelines")
        port = tools.free_port()
        options = ["--parallelism", str(parallelism), "--allow-path", str(source.parent)]
        self.server = tools.Server(arus, folder / "data", http_port=port, options=options, cores=cores)
        self.server.first_answer()
        self.client = self.helpers.Client(tools, port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop()

    def cpu(self):
        return self.helpers.cpu_by_thread(self.server.process.pid)

    def read(self):
        """Rows that the pipelines of this server have read."""
        self.client.connection.request("GET", "/metrics")
        lines = self.client.connection.getresponse().read().decode().splitlines()
        scans = (line for line in lines if line.startswith("arus_operator_rows_out_total") and 'operator="TableSourceScan"' in line)
        return sum(int(float(line.rsplit(" ", 1)[1])) for line in scans)

    def until_read(self, events):
        began = time.perf_counter()
        while self.read() < events:
            if time.perf_counter() - began > SECONDS_LIMIT:
                raise self.tools.Trouble(f"{self.read()} of {events} rows after {SECONDS_LIMIT} s")
            time.sleep(POLL_SECONDS)


def fill(tools, folder, arus, path, events):
    with Running(tools, folder, arus, FULL, path) as running:
        running.client.sql(TABLE)
        running.client.sql(FILE.format(path=path))
        running.client.sql(FILL)
        until = time.perf_counter() + SECONDS_LIMIT
        while not any(row["n"] == events for row in running.client.sql("SELECT COUNT(*) AS n FROM bid")):
            if time.perf_counter() > until:
                raise tools.Trouble(f"the topic did not get {events} rows")
            time.sleep(0.5)
        for i, (columns, _) in enumerate(QUERIES.values()):
            running.client.sql(f"CREATE TABLE sink{i} ({columns}) WITH ('connector' = 'blackhole')")


def verify(tools, folder, arus, path, events):
    """All count right before they are fast."""
    with path.open() as lines:
        expected = collections.Counter(json.loads(line)["auction"] for line in lines)
    for setup in SETUPS:
        with Running(tools, folder, arus, setup, path) as running:
            running.client.sql(f"CREATE MATERIALIZED TABLE counts AS {QUERIES['count per key'][1]}")
            until = time.perf_counter() + SECONDS_LIMIT
            while True:
                found = {row["auction"]: row["n"] for row in running.client.sql("SELECT auction, n FROM counts")}
                if sum(found.values()) >= events or time.perf_counter() > until:
                    break
                time.sleep(0.2)
            if found != expected:
                raise tools.Trouble(f"{setup}: {sum(found.values())} of {events} rows are counted right or wrong")
            running.client.sql("DROP MATERIALIZED TABLE counts")


def measure(tools, folder, arus, path, events, number, setup):
    query = list(QUERIES.values())[number][1]
    with Running(tools, folder, arus, setup, path) as running:
        # Its answer waits for a checkpoint; the clock runs from the first row on.
        before, client, (busy, ticks) = running.cpu(), time.process_time(), tools.cpu_of_machine()
        began = time.perf_counter()
        answer = running.client.sql(f"INSERT INTO sink{number} {query}")
        job = next(row["job"] for row in answer if "job" in row)
        running.until_read(events)
        wall = time.perf_counter() - began
        after, (busy_after, ticks_after) = running.cpu(), tools.cpu_of_machine()
        threads = {name: after[name] - before[name] for name in after if after[name] - before[name] >= 0.02}
        hertz = tools.os.sysconf("SC_CLK_TCK")
        own, client = sum(threads.values()), time.process_time() - client
        others = max(0.0, (busy_after - busy) / hertz - own - client) / max((ticks_after - ticks) / hertz, 1e-9)
        running.client.sql(f"STOP JOB '{job}'")
        return {"wall": wall, "cpu": own, "threads": threads, "others": others}


def suite(tools, folder, args):
    import nexmark

    folder = pathlib.Path(folder)
    arus, events = tools.binary(), args.events or 4_000_000
    path = nexmark.bids(tools, arus, events)
    fill(tools, folder, arus, path, events)
    verify(tools, folder, arus, path, events)
    lines = [
        f"# cores, {datetime.date.today().isoformat()}",
        "",
        f"    bench/run cores --events {events} --runs {args.runs}",
        "",
        f"Machine: {tools.machine()}. Commit {tools.commit()}. Profile: release.",
        "",
        f"{events:,} bids as JSON in a topic of two partitions, read from the start into blackhole. Counts were checked in each setup first.",
        "",
    ]
    for number, name in enumerate(QUERIES):
        runs = {setup: [] for setup in SETUPS}
        for i in range(args.runs + 1):
            for setup in SETUPS if i % 2 == 0 else reversed(SETUPS):
                run = measure(tools, folder, arus, path, events, number, setup)
                print(f"{name}, {setup}: {run['wall']:.2f} s", file=sys.stderr)
                # The first is warm-up.
                if i > 0:
                    runs[setup].append(run)
        median = {setup: statistics.median(r["wall"] for r in runs[setup]) for setup in SETUPS}
        ratio = median[BASE] / median[FULL]
        verdict = "above the stretch" if ratio >= STRETCH else "above the gate" if ratio >= GATE else "**below the gate**"
        busiest = max(r["others"] for of in runs.values() for r in of)
        lines += [
            f"## {name}",
            "",
            f"{ratio:.2f} times as fast with 2 cores as with 1 (gate {GATE}, stretch {STRETCH}): {verdict}. Others used up to {busiest:.0%} of the machine"
            + (f": **above {tools.BUSY_LIMIT:.0%}, so the run is void.**" if busiest > tools.BUSY_LIMIT else "."),
            "",
            "| server | wall s | events/s | CPU s | CPU s by thread |",
            "|---|---|---|---|---|",
        ]
        for setup in SETUPS:
            for run in runs[setup]:
                threads = ", ".join(f"{thread} {seconds:.2f}" for thread, seconds in sorted(run["threads"].items()))
                lines.append(f"| {setup} | {run['wall']:.2f} | {events / run['wall']:,.0f} | {run['cpu']:.2f} | {threads} |")
            lines.append(f"| **{setup}, median** | **{median[setup]:.2f}** | {events / median[setup]:,.0f} | | |")
        lines.append("")
    return "\n".join(lines)
