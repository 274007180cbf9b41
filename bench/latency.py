"""Suite latency: from the moment at which an event is to be sent until its result is seen.

Two queries, three doors. q1 is a projection with arithmetic, each event gives a row; hop counts events per key in windows
of 10 s every 100 ms, and the time runs from a window's end, which the next event's time passes, to its rows. The doors:
`print` (at least once, at once), `/changes` of a keyed table (a reader of epochs), and files of the `filesystem` sink (exactly
once, with the checkpoint). Events come at a steady rate by HTTP, a request every 10 ms, from a process of their own; the
rate is the same for all, and told. Late sending counts: the clock starts when an event was due.
"""

import datetime
import http.client
import json
import multiprocessing
import os
import pathlib
import signal
import subprocess
import threading
import time

SECONDS = 15
# Windows and checkpoints of the first seconds are those of a cold server.
WARM_SECONDS = 4
REQUESTS_A_SECOND = 100

EVENTS = (
    "CREATE TABLE bids (id BIGINT, auction BIGINT, price BIGINT, due BIGINT, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts)"
)
QUERIES = {
    "q1": ("id BIGINT, auction BIGINT, dollars DECIMAL(23, 3), due BIGINT", "id", "SELECT id, auction, 0.908 * price, due FROM bids"),
    "hop": (
        "auction BIGINT, due BIGINT, n BIGINT",
        "auction, due",
        "SELECT auction, UNIX_TIMESTAMP(CAST(window_end AS STRING)) * 1000 + EXTRACT(MILLISECOND FROM window_end), COUNT(*)\n"
        "FROM HOP(TABLE bids, DESCRIPTOR(ts), INTERVAL '0.1' SECOND, INTERVAL '10' SECOND)\n"
        "GROUP BY auction, window_start, window_end",
    ),
}
DOORS = ("print", "changes", "files")


def sink(door, columns, key, folder):
    if door == "print":
        return f"CREATE TABLE results ({columns}) WITH ('connector' = 'print')"
    if door == "changes":
        return f"CREATE TABLE results ({columns}, PRIMARY KEY ({key}) NOT ENFORCED)"
    rolling = "'sink.rolling-policy.rollover-interval' = '1 s', 'sink.rolling-policy.check-interval' = '1 s'"
    return f"CREATE TABLE results ({columns}) WITH ('connector' = 'filesystem', 'path' = '{folder}', 'format' = 'json', {rolling})"


def post(connection, path, body, kind):
    connection.request("POST", path, body, {"Content-Type": kind})
    answer = connection.getresponse()
    text = answer.read().decode()
    if answer.status != 200:
        raise RuntimeError(f"POST {path}: {answer.status} {text[:400]}")
    return text


def send(port, rate, seconds, done):
    """Events at a steady rate, in a process of their own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    each, start, late = rate // REQUESTS_A_SECOND, time.time() + 0.05, 0.0
    for request in range(seconds * REQUESTS_A_SECOND):
        due = start + request / REQUESTS_A_SECOND
        time.sleep(max(0.0, due - time.time()))
        late = max(late, time.time() - due)
        ms = int(due * 1_000)
        ts = datetime.datetime.fromtimestamp(ms / 1_000, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")[:23] + "Z"
        rows = [
            f'{{"id":{request * each + i},"auction":{(request * 7 + i) % 20},"price":{100 + i},"due":{ms},"ts":"{ts}"}}\n'
            for i in range(each)
        ]
        post(connection, "/v1/tables/bids/rows", "".join(rows), "application/x-ndjson")
    done.put((start, late))


class Seen(threading.Thread):
    """When each value of `due` was seen first, and rows in all."""

    def __init__(self):
        super().__init__(daemon=True)
        self.times, self.rows, self.stop = [], 0, False

    def note(self, due):
        self.rows += 1
        self.times.append((due, time.time()))


class Lines(Seen):
    """`+I[..]` lines of the server's standard output; `due` is the last but one column of hop, the last of q1."""

    def __init__(self, pipe, column):
        super().__init__()
        self.pipe, self.column = pipe, column

    def run(self):
        for line in self.pipe:
            if b"I[" in line:
                fields = line[line.index(b"[") + 1 : line.rindex(b"]")].split(b", ")
                self.note(int(fields[self.column]))


class Changes(Seen):
    def __init__(self, port):
        super().__init__()
        stream = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        stream.request("GET", "/v1/tables/results/changes")
        self.answer = stream.getresponse()

    def run(self):
        try:
            for line in self.answer:
                if line.startswith(b"data:"):
                    event = json.loads(line[5:])
                    if event.get("op") in ("+I", "+U"):
                        self.note(event["row"]["due"])
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            return


class Files(Seen):
    """Files that got their name: each counts from when it was found."""

    def __init__(self, folder):
        super().__init__()
        self.folder, self.known = pathlib.Path(folder), set()

    def run(self):
        while not self.stop:
            found = {p for p in self.folder.glob("**/part-*")} - self.known if self.folder.exists() else set()
            now = time.time()
            for path in found:
                self.known.add(path)
                for line in path.read_text().splitlines():
                    self.rows += 1
                    self.times.append((json.loads(line)["due"], now))
            time.sleep(0.005)


def measure(tools, folder, query, door, rate):
    port, files = tools.free_port(), pathlib.Path(folder) / f"{query}-{door}-files"
    command = [tools.binary(), "--data", f"{folder}/{query}-{door}", "--http-port", str(port), "--pg-port", "0", "--kafka-port", "0",
               "--allow-path", str(folder)]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, "TZ": "UTC"})
    try:
        until = time.time() + 30
        while True:
            try:
                control = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                control.request("GET", "/readyz")
                if control.getresponse().read() == b"ready\n":
                    break
            except OSError:
                pass
            if time.time() > until:
                raise tools.Trouble("the server does not start")
            time.sleep(0.02)
        columns, key, select = QUERIES[query]
        for sql in (EVENTS, sink(door, columns, key, files), f"INSERT INTO results {select}"):
            post(control, "/v1/sql", json.dumps({"sql": sql}), "application/json")
        seen = {"print": lambda: Lines(process.stdout, 1 if query == "hop" else 3), "changes": lambda: Changes(port), "files": lambda: Files(files)}[door]()
        seen.start()
        done = multiprocessing.Queue()
        sender = multiprocessing.Process(target=send, args=(port, rate, SECONDS, done))
        sender.start()
        start, late = done.get(timeout=SECONDS * 4)
        sender.join()
        time.sleep(3)
        seen.stop = True
        first, last = (start + WARM_SECONDS) * 1_000, (start + SECONDS - 1) * 1_000
        times = sorted(at - due / 1_000 for due, at in list(seen.times) if first <= due <= last)
        if not times:
            raise tools.Trouble(f"{query} by {door}: no result was seen")
        if query == "q1" and len(times) != sum(1 for r in range(SECONDS * REQUESTS_A_SECOND) if first <= int((start + r / REQUESTS_A_SECOND) * 1_000) <= last) * (rate // REQUESTS_A_SECOND):
            raise tools.Trouble(f"q1 by {door}: {len(times)} rows were seen in the time")
        return times, late
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()


def suite(tools, folder, args):
    rate, lines = max(args.rate // REQUESTS_A_SECOND, 1) * REQUESTS_A_SECOND, []
    (busy, ticks), others = tools.cpu_of_machine(), 0.0
    time.sleep(2)
    (busy_after, ticks_after) = tools.cpu_of_machine()
    others = (busy_after - busy) / max(ticks_after - ticks, 1)
    at = lambda times, share: f"{times[min(len(times) - 1, int(len(times) * share))] * 1e3:.1f}"
    for query in QUERIES:
        for door in DOORS:
            times, late = measure(tools, folder, query, door, rate)
            lines.append(f"| {query} | {door} | {len(times):,} | {at(times, 0.5)} | {at(times, 0.99)} | {at(times, 0.999)} | {at(times, 1.0)} | {late * 1e3:.1f} |")
            print(lines[-1])
    return "\n".join([
        f"# latency, {datetime.date.today().isoformat()}",
        "",
        f"    bench/run latency --rate {rate}",
        "",
        f"Machine: {tools.machine()}. Commit {tools.commit()}. Profile: release.",
        f"Before the run others used {others:.0%} of the machine" + (
            f": **above {tools.BUSY_LIMIT:.0%}, so the run is void by the rules; take the figures as a first look.**" if others > tools.BUSY_LIMIT else "."),
        "",
        f"{rate:,} events a second by HTTP for {SECONDS} s, {rate // REQUESTS_A_SECOND} a request, one request every 10 ms and synced before the next; the first {WARM_SECONDS} s are left out.",
        "Times in ms run from when an event was due (hop: from the end of the window) until the result was seen by the reader; files count from when they have their name, so theirs is the checkpoint's interval of 1 s.",
        "",
        "| query | door | results | p50 | p99 | p99.9 | max | sender late by at most |",
        "|---|---|---|---|---|---|---|---|",
        *lines,
        "",
        "The generator and the reader are Python on the same machine and part of every figure.",
        "",
    ])
