"""Suite nexmark: stateless queries and windowed counts over Nexmark bids in a JSON file, beside Flink on the same file.

The claim is the marginal cost, (CPU of all events - CPU of half of them) / half, by which start and warm-up drop out; the
cold totals stand beside it. Both sides write into blackhole. Before anything is measured both print their results over a
small file, and a batch computation in Python over the same file decides. Before each run its file is read once, so that
nobody pays for the disk: the file would else be in the system's cache for one side and not for the other.
"""

import collections
import datetime
import hashlib
import json
import os
import pathlib
import statistics
import subprocess
import sys

VERIFY_EVENTS = 20_000

TABLE = """\
CREATE TABLE bid (
  auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` TIMESTAMP(3), extra STRING,
  WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND
) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json');
"""

QUERIES = {
    "q0": (
        "auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP(3), extra STRING",
        "SELECT auction, bidder, price, `dateTime`, extra FROM bid",
    ),
    "q1": (
        "auction BIGINT, bidder BIGINT, price DECIMAL(23, 3), `dateTime` TIMESTAMP(3), extra STRING",
        "SELECT auction, bidder, 0.908 * price AS price, `dateTime`, extra FROM bid",
    ),
    "q2": ("auction BIGINT, price BIGINT", "SELECT auction, price FROM bid WHERE MOD(auction, 123) = 0"),
    "tumble": (
        "bidder BIGINT, bid_count BIGINT, starttime TIMESTAMP(3), endtime TIMESTAMP(3)",
        "SELECT bidder, COUNT(*) AS bid_count, window_start AS starttime, window_end AS endtime\n"
        "FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))\n"
        "GROUP BY bidder, window_start, window_end",
    ),
    "q5 inner": (
        "auction BIGINT, num BIGINT, starttime TIMESTAMP(3), endtime TIMESTAMP(3)",
        "SELECT auction, COUNT(*) AS num, window_start AS starttime, window_end AS endtime\n"
        "FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))\n"
        "GROUP BY auction, window_start, window_end",
    ),
}
# CPU of Flink over CPU of Arus: the gate and the stretch.
GATES = {"q0": (7, 12), "q1": (7, 12), "q2": (7, 12), "tumble": (8, 20), "q5 inner": (8, 20)}

GENERATE = """\
CREATE TABLE nexmark (
  event_type INT,
  bid ROW<auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` TIMESTAMP(3), extra STRING>
) WITH ('connector' = 'nexmark', 'events.num' = '{events}');
CREATE TABLE bid (
  auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` TIMESTAMP(3), extra STRING
) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json', 'sink.rolling-policy.file-size' = '1 tb',
  'sink.rolling-policy.rollover-interval' = '1 d');
INSERT INTO bid SELECT bid.auction, bid.bidder, bid.price, bid.channel, bid.url, bid.`dateTime`, bid.extra
FROM nexmark WHERE event_type = 2;
"""


def bids(tools, arus, count):
    """A file of the first bids of the generator; a smaller one is the start of a larger one."""
    path = tools.cache() / f"nexmark-bids-{count}.json"
    if path.exists():
        return path
    print(f"making {path.name}", file=sys.stderr)
    folder = tools.cache() / f"nexmark-bids-{count}.part"
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    folder.mkdir()
    script = folder / "generate.sql"
    script.write_text(GENERATE.format(events=-(-count * 50 // 46) + 50, path=folder / "bid"))
    tools.run([arus, "run", str(script)], folder)
    files = list((folder / "bid").glob("part-*"))
    if len(files) != 1:
        raise tools.Trouble(f"expected one file of bids in {folder}, found {len(files)}")
    with path.with_suffix(".cut").open("wb") as out:
        subprocess.run(["head", "-n", str(count), str(files[0])], stdout=out, check=True)
    path.with_suffix(".cut").rename(path)
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    return path


def script(folder, query, path, sink):
    columns, select = QUERIES[query]
    file = pathlib.Path(folder) / f"{query.replace(' ', '-')}-{path.stem}-{sink}.sql"
    file.write_text(
        f"{TABLE.format(path=path)}CREATE TABLE sink ({columns}) WITH ('connector' = '{sink}');\nINSERT INTO sink\n{select};\n"
    )
    return str(file)


def flink_command(tools):
    """Everything before the script."""
    home = subprocess.run([str(tools.ROOT / "servers/flink/get")], capture_output=True, text=True, check=True).stdout.strip()
    source = tools.ROOT / "bench/flink/Bench.java"
    classes = tools.cache() / f"flink-{hashlib.sha256(source.read_bytes()).hexdigest()[:16]}"
    if not (classes / "Bench.class").exists():
        classes.mkdir(parents=True, exist_ok=True)
        subprocess.run(["javac", "-nowarn", "-cp", f"{home}/lib/*", "-d", str(classes), str(source)], check=True)
    packages = ["java.lang", "java.net", "java.io", "java.nio", "java.text", "java.time", "java.util", "java.util.concurrent",
                "java.util.concurrent.atomic", "java.util.concurrent.locks", "java.lang.reflect", "sun.nio.ch"]
    opens = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in packages]
    log = f"-Dlog4j.configurationFile={tools.ROOT}/conformance/flink/log4j2.properties"
    return ["java", "-Xmx2g", *opens, "-Duser.timezone=UTC", "-Dfile.encoding=UTF-8", log, "-cp", f"{classes}:{home}/lib/*", "Bench"]


# ---- what is right

def text_of(time):
    """As print writes a TIMESTAMP(3)."""
    text = time.strftime("%Y-%m-%dT%H:%M")
    if time.second or time.microsecond:
        text += time.strftime(":%S")
    if time.microsecond:
        text += f".{time.microsecond // 1000:03d}"
    return text


def expected(query, path):
    """The lines of print, as a multiset, by a batch computation. No bid of the generator is late."""
    rows = [json.loads(line) for line in path.open()]
    for row in rows:
        row["at"] = datetime.datetime.fromisoformat(row["dateTime"])
    epoch = datetime.datetime(1970, 1, 1)
    if query == "q0":
        return collections.Counter(f"+I[{r['auction']}, {r['bidder']}, {r['price']}, {text_of(r['at'])}, {r['extra']}]" for r in rows)
    if query == "q1":
        price = lambda r: f"{r['price'] * 908 // 1000}.{r['price'] * 908 % 1000:03d}"
        return collections.Counter(f"+I[{r['auction']}, {r['bidder']}, {price(r)}, {text_of(r['at'])}, {r['extra']}]" for r in rows)
    if query == "q2":
        return collections.Counter(f"+I[{r['auction']}, {r['price']}]" for r in rows if r["auction"] % 123 == 0)
    key, slide = ("bidder", 10) if query == "tumble" else ("auction", 2)
    counts = collections.Counter()
    for row in rows:
        second = int((row["at"] - epoch).total_seconds() // slide) * slide
        for start in range(second, second - 10, -slide):
            counts[row[key], start] += 1
    at = lambda seconds: text_of(epoch + datetime.timedelta(seconds=seconds))
    return collections.Counter(f"+I[{k}, {n}, {at(start)}, {at(start + 10)}]" for (k, start), n in counts.items())


def verify(tools, folder, arus, flink, parallelism, query):
    path = bids(tools, arus, VERIFY_EVENTS)
    file = script(folder, query, path, "print")
    right = expected(query, path)
    for name, command in (("arus", [arus, "run", file]), ("flink", [*flink, str(parallelism), "tuned", file])):
        lines = tools.run(command, folder)["out"].splitlines()
        # Above parallelism 1 print has a prefix.
        found = collections.Counter(line[line.index("+I["):] for line in lines if "+I[" in line)
        if found != right:
            wrong = list((found - right).items())[:2], list((right - found).items())[:2]
            raise tools.Trouble(f"{query}: {name} is wrong: not expected and missing rows, for example {wrong}")


# ---- measuring

def warm(path):
    """Brings a file into the system's cache."""
    block = bytearray(4 << 20)
    with path.open("rb", buffering=0) as file:
        while file.readinto(block):
            pass


def measure(tools, folder, args):
    arus, flink = tools.binary(), flink_command(tools)
    half, full = bids(tools, arus, args.events // 2), bids(tools, arus, args.events)
    results = {}
    for query in args.only or QUERIES:
        try:
            verify(tools, folder, arus, flink, args.parallelism, query)
        except tools.Trouble as trouble:
            # The others are measured all the same; this one is told in the result.
            print(f"{query}: {trouble}", file=sys.stderr)
            results[query] = str(trouble)
            continue
        runs = collections.defaultdict(list)
        for turn in range(args.runs):
            sides = ["arus", "flink"] if turn % 2 == 0 else ["flink", "arus"]
            for path, size in ((half, "half"), (full, "full")):
                file = script(folder, query, path, "blackhole")
                for side in sides:
                    warm(path)
                    command = [arus, "run", file] if side == "arus" else [*flink, str(args.parallelism), "tuned", file]
                    runs[side, size].append(tools.run(command, folder))
                    print(f"{query}, {side}, {size}: {runs[side, size][-1]['cpu']:.2f} s of CPU", file=sys.stderr)
        results[query] = runs
    return arus, half, full, results


def report(tools, args, full, results):
    half_events, millions = args.events // 2, (args.events - args.events // 2) / 1e6
    measured = {query: runs for query, runs in results.items() if not isinstance(runs, str)}
    everything = [run for runs in measured.values() for each in runs.values() for run in each]
    busiest = max((run["others"] for run in everything), default=0.0)
    lines = [
        f"# nexmark, {datetime.date.today().isoformat()}",
        "",
        f"    bench/run nexmark --events {args.events} --runs {args.runs} --parallelism {args.parallelism}",
        "",
        f"Machine: {tools.machine()}. Commit {tools.commit()}. Profile: release. Flink 2.3.0, Java 17, -Xmx2g, heap state, mini-batch (2 s, 50,000 rows), "
        f"object reuse, parallelism {args.parallelism}, one JVM with its cluster a run.",
        f"Others used up to {busiest:.0%} of the machine during a run" + (
            f": **above {tools.BUSY_LIMIT:.0%}, so the run is void by the rules; take the figures as a first look.**" if busiest > tools.BUSY_LIMIT else "."),
        "",
        f"{args.events:,} Nexmark bids as JSON lines, {full.stat().st_size / args.events:.0f} bytes each, to blackhole; the file is in the system's cache when a run begins. Results were compared with a batch computation over "
        f"{VERIFY_EVENTS:,} of them first. CPU of the whole process in seconds, medians (lowest to highest); \"a million\": (all - half) / {millions:g}.",
        "",
        f"| query | Flink, {half_events:,} | Flink, {args.events:,} | Arus, {half_events:,} | Arus, {args.events:,} | Flink a million | Arus a million | ratio | gate |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for query, runs in measured.items():
        median = {key: statistics.median(r["cpu"] for r in each) for key, each in runs.items()}
        shown = lambda side, size: f"{median[side, size]:.2f} ({min(r['cpu'] for r in runs[side, size]):.2f} to {max(r['cpu'] for r in runs[side, size]):.2f})"
        a_million = {side: (median[side, "full"] - median[side, "half"]) / millions for side in ("arus", "flink")}
        ratio = a_million["flink"] / a_million["arus"] if min(a_million.values()) > 0 else float("nan")
        gate, stretch = GATES[query]
        verdict = "too few events" if ratio != ratio else "stretch" if ratio >= stretch else "met" if ratio >= gate else "**missed**"
        lines.append(
            f"| {query} | {shown('flink', 'half')} | {shown('flink', 'full')} | {shown('arus', 'half')} | {shown('arus', 'full')} "
            f"| {a_million['flink']:.2f} | {a_million['arus']:.3f} | **{ratio:.1f}x** | {gate}x: {verdict} |")
    for query in results.keys() - measured.keys():
        lines.append(f"| {query} | not measured: {results[query].splitlines()[0]} | | | | | | | |")
    lines += ["", "## Queries", ""]
    for query in results:
        lines += [f"{query}:", "", *[f"    {line}" for line in QUERIES[query][1].splitlines()], ""]
    return "\n".join(lines)


def suite(tools, folder, args):
    _, _, full, results = measure(tools, folder, args)
    return report(tools, args, full, results)
