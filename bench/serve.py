"""Suite serve: reads by the Postgres wire beside a stream.

Nexmark bids come as fast as the server takes them and are counted by auction into a keyed table. First without readers, then
with 1,000 point reads a second, then with ten analysts' scans as well: the share of bids that is lost to them, and how long
reads take. Readers are pgbench, which sends a read when it is due and takes its time from then.
"""

import datetime
import os
import pathlib
import re
import subprocess
import time

import pipelines

SECONDS = 20
POINT_READS = 1_000
CLIENTS = 8
ANALYSTS = 10
AUCTIONS = 100_000

SOURCE = """CREATE TABLE bids (bidder BIGINT, auction BIGINT, price BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '10000000',
  'fields.auction.min' = '0', 'fields.auction.max' = '99999', 'fields.price.min' = '1', 'fields.price.max' = '10000')"""
TABLE = "CREATE MATERIALIZED TABLE by_auction AS SELECT auction, COUNT(*) AS bids, SUM(price) AS total, MAX(price) AS highest FROM bids GROUP BY auction"
POINT = f"\\set id random(0, {AUCTIONS - 1})\nSELECT bids, total, highest FROM by_auction WHERE auction = :id;\n"
SCAN = "SELECT auction % 10 AS part, COUNT(*), SUM(bids), MAX(highest) FROM by_auction WHERE bids > 1 GROUP BY 1 ORDER BY 3 DESC;\n"


def pgbench(tools, folder, port, name, sql, options):
    """Starts a reader; what it logs of each read is a file of this name."""
    programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    if not programs:
        raise tools.Trouble("pgbench is missing: install the package postgresql")
    script = pathlib.Path(folder) / f"{name}.sql"
    script.write_text(sql)
    command = [programs[-1], "-h", "127.0.0.1", "-p", str(port), "-U", "arus", "-n", "-f", script, "-T", str(SECONDS),
               "-l", "--log-prefix", f"{folder}/{name}", *options, "arus"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder)


def times_of(tools, folder, name, process):
    """How long each read took, in ms, from when it was due."""
    text, _ = process.communicate(timeout=SECONDS * 4)
    if process.returncode != 0 or re.search(r"ERROR|aborted", text):
        raise tools.Trouble(f"{name}: {text[-600:]}")
    found = [int(line.split()[2]) / 1e3 for log in pathlib.Path(folder).glob(f"{name}.*") if log.suffix != ".sql" for line in log.read_text().splitlines()]
    return sorted(found)


def measure(tools, folder, arus, points, scans):
    port = tools.free_port()
    where = pathlib.Path(folder) / f"{'points' if points else 'none'}-{'scans' if scans else 'none'}"
    where.mkdir()
    server = tools.Server(arus, where / "data", http_port=port)
    try:
        server.first_answer()
        client = pipelines.Client(tools, port)
        client.sql(SOURCE)
        client.sql(TABLE)
        rows = lambda: sum(row["n"] for row in client.sql("SELECT SUM(bids) AS n FROM by_auction"))
        time.sleep(4)
        first, threads, cpu, began = rows(), pipelines.cpu_by_thread(server.process.pid), server.cpu_seconds(), time.perf_counter()
        readers = {}
        if points:
            readers["points"] = pgbench(tools, where, server.port, "points", POINT, ["-M", "prepared", "-c", str(CLIENTS), "-j", "1", "-R", str(POINT_READS)])
        if scans:
            readers["scans"] = pgbench(tools, where, server.port, "scans", SCAN, ["-c", str(ANALYSTS), "-j", "1"])
        if not readers:
            time.sleep(SECONDS)
        times = {name: times_of(tools, where, name, process) for name, process in readers.items()}
        took = time.perf_counter() - began
        used, by_thread = server.cpu_seconds() - cpu, pipelines.cpu_by_thread(server.process.pid) - threads
        return {"rate": (rows() - first) / took, "took": took, "cpu": used / took, "threads": by_thread, "times": times, "memory": server.memory_mb()[0]}
    finally:
        server.stop()


def suite(tools, folder, args):
    arus = tools.binary()
    (busy, ticks) = tools.cpu_of_machine()
    time.sleep(2)
    (busy_after, ticks_after) = tools.cpu_of_machine()
    others = (busy_after - busy) / max(ticks_after - ticks, 1)
    runs = {name: measure(tools, folder, arus, points, scans) for name, points, scans in (
        ("no readers", False, False), ("point reads", True, False), ("point reads and scans", True, True))}
    base = runs["no readers"]["rate"]
    at = lambda times, share: f"{times[min(len(times) - 1, int(len(times) * share))]:.1f}" if times else "-"
    lines = [
        f"# serve, {datetime.date.today().isoformat()}",
        "",
        "    bench/run serve",
        "",
        f"Machine: {tools.machine()}. Commit {tools.commit()}. Profile: release.",
        f"Before the run others used {others:.0%} of the machine. pgbench runs on the same {os.cpu_count()} cores and is part of every figure.",
        "",
        f"Bids as fast as they are taken, counted by auction ({AUCTIONS:,} keys) into a keyed table that readers see epoch by epoch; {SECONDS} s. {POINT_READS:,} point reads a second",
        f"by {CLIENTS} connections, prepared, timed from when each was due; {ANALYSTS} analysts' connections, each aggregating the whole table again and again.",
        "",
        "| readers | bids/s | ingest lost | CPU, cores | point reads/s | p50 ms | p99 ms | max ms | scans/s | p50 ms | p99 ms | RSS MB |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, run in runs.items():
        points, scans = run["times"].get("points", []), run["times"].get("scans", [])
        lines.append(
            f"| {name} | {run['rate']:,.0f} | {1 - run['rate'] / base:.0%} | {run['cpu']:.2f} | {len(points) / run['took']:,.0f} | {at(points, 0.5)} | {at(points, 0.99)} "
            f"| {at(points, 1.0)} | {len(scans) / run['took']:,.0f} | {at(scans, 0.5)} | {at(scans, 0.99)} | {run['memory']:.0f} |")
    lines += [
        "",
        "CPU by thread, in shares of one core:",
        "",
        "| readers | threads |",
        "|---|---|",
        *[f"| {name} | " + ", ".join(f"{thread} {seconds / run['took']:.1%}" for thread, seconds in run["threads"].most_common(8)) + " |" for name, run in runs.items()],
        "",
        f"The queries:\n\n    {TABLE}\n    SELECT bids, total, highest FROM by_auction WHERE auction = ..\n    {SCAN}",
    ]
    return "\n".join(lines)
