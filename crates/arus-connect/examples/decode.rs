//! CPU time of decoding alone: Nexmark bids as JSON, a million records by default, in batches as a source hands them out.
//!
//! `decode [RECORDS] [RUNS] [INPUT]` prints a line a case: the lowest and the median of the runs in ns a record.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a program for the terminal of Linux")]

use std::collections::BTreeMap;
use std::sync::Arc;

use arus_connect::Registry;
use arus_core::catalog::{ColumnKind, ConnectorCatalog, ObjectPath, TableColumn, TableDef, TableKind};
use arus_core::clock::Clock;
use arus_core::connector::{ConnectContext, Decoder, HostPolicy, LineOutput, PathPolicy, RawBatch, RawRecord, Span};
use arus_core::limits::{BATCH_ROWS, POLL_BYTES};
use arus_core::secret::Secrets;
use arus_core::{LogicalType, Result, TimeAttribute, TypeKind};

struct Still;

impl Clock for Still {
    fn now_ms(&self) -> i64 {
        0
    }

    fn monotonic_ns(&self) -> u64 {
        0
    }
}

impl LineOutput for Still {
    fn write_lines(&self, _lines: &str) -> Result<()> {
        Ok(())
    }
}

/// Numbers of a fixed seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    Plain,
    Shuffled,
    /// One of a hundred records is no JSON or has a wrong type.
    Malformed,
}

fn record(random: &mut Random, number: u64, input: Input) -> String {
    let channels = ["Google", "Facebook", "Baidu", "Apple", "channel-1042", "channel-77"];
    let urls = ["abo/xyz/item", "klm_/nbqr_/oo_w", "rswp/bsu/_gzj", "_oi/rvt/bbgq"];
    let extra: String = (0..36).map(|_| (b'a' + random.below(26) as u8) as char).collect();
    let (second, ms) = (number / 10_000, number / 10 % 1_000);
    let mut fields = [
        format!("\"auction\":{}", 1_000 + random.below(100_000)),
        format!("\"bidder\":{}", 1_000 + random.below(50_000)),
        format!("\"price\":{}", 100 + random.below(10_000_000)),
        format!("\"channel\":\"{}\"", channels[random.below(6) as usize]),
        format!("\"url\":\"https://www.nexmark.com/{}/item.htm?query=1\"", urls[random.below(4) as usize]),
        format!(
            "\"dateTime\":\"2026-01-01 {:02}:{:02}:{:02}.{ms:03}\"",
            second / 3600 % 24,
            second / 60 % 60,
            second % 60
        ),
        format!("\"extra\":\"{extra}\""),
    ];
    if input == Input::Shuffled {
        for i in (1..fields.len()).rev() {
            fields.swap(i, random.below(i as u64 + 1) as usize);
        }
    }
    if input == Input::Malformed && random.below(100) == 0 {
        match random.below(3) {
            0 => fields[0] = "\"auction\":\"many\"".into(),
            1 => fields[4] = "\"url\":\"open".into(),
            _ => fields[6] = "\"extra\" \"x\"".into(),
        }
    }
    format!("{{{}}}", fields.join(","))
}

fn batches(records: u64, input: Input) -> Vec<RawBatch> {
    let mut random = Random(42);
    let (mut batches, mut data, mut spans) = (vec![], vec![], vec![]);
    for number in 0..records {
        let text = record(&mut random, number, input);
        let value = Some(Span { start: data.len() as u32, len: text.len() as u32 });
        spans.push(RawRecord { value, key: None, headers: None, offset: number as i64, timestamp_ms: 0 });
        data.extend_from_slice(text.as_bytes());
        data.push(b'\n');
        if spans.len() == BATCH_ROWS || data.len() >= POLL_BYTES || number + 1 == records {
            let data = std::mem::take(&mut data).into();
            batches.push(RawBatch { data, records: std::mem::take(&mut spans), partition: 0 });
        }
    }
    batches
}

fn decoder(columns: usize) -> Box<dyn Decoder> {
    let time = TypeKind::Timestamp { precision: 3, attribute: TimeAttribute::None };
    let of = |name: &str, kind: TypeKind| (name.to_string(), kind.nullable());
    let wanted: Vec<(String, LogicalType)> = match columns {
        1 => vec![of("dateTime", time)],
        3 => vec![of("auction", TypeKind::BigInt), of("price", TypeKind::BigInt), of("dateTime", time)],
        _ => vec![
            of("auction", TypeKind::BigInt),
            of("bidder", TypeKind::BigInt),
            of("price", TypeKind::BigInt),
            of("channel", TypeKind::STRING),
            of("url", TypeKind::STRING),
            of("dateTime", time),
            of("extra", TypeKind::STRING),
        ],
    };
    let column = |(name, ty)| TableColumn { name, ty, kind: ColumnKind::Physical, comment: None };
    let table = TableDef {
        path: ObjectPath::in_default("bids"),
        kind: TableKind::Connector,
        columns: wanted.into_iter().map(column).collect(),
        watermark: None,
        primary_key: vec![],
        primary_key_name: None,
        partition_keys: vec![],
        distribution: None,
        options: BTreeMap::new(),
        comment: None,
        temporary: false,
        query: None,
        hidden_count: false,
    };
    let cx = ConnectContext {
        fs: Arc::new(arus_storage::DiskFs),
        clock: Arc::new(Still),
        seed: 0,
        paths: Arc::new(PathPolicy::Unrestricted),
        hosts: Arc::new(HostPolicy::Unrestricted),
        secrets: Secrets::with_variables(Arc::new(arus_storage::DiskFs), None, Arc::new(|_| None)),
        working_dir: std::env::temp_dir(),
        stdout: Arc::new(Still),
        stderr: Arc::new(Still),
        time_zone: "UTC".into(),
        mark_watermarks: false,
        task: None,
    };
    let json = Registry.format("json").expect("json is registered");
    json.decoder(&table, &table.physical_schema(), &cx).expect("plain columns")
}

/// Time on a core of this thread, in ns.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|n| n.parse().ok()).expect("a number")
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let records: u64 = arguments.next().map_or(1_000_000, |n| n.parse().expect("RECORDS is a number"));
    let runs: usize = arguments.next().map_or(7, |n| n.parse().expect("RUNS is a number"));
    let only = arguments.next();
    println!("| input | columns | bytes a record | rows | ns a record, lowest | median |\n|---|---|---|---|---|---|");
    let cases = [
        ("Nexmark bids", Input::Plain, [1, 3, 7].as_slice()),
        ("keys in random order", Input::Shuffled, &[1, 3, 7]),
        ("1 % malformed", Input::Malformed, &[7]),
    ];
    for (name, input, columns) in cases.into_iter().filter(|c| only.as_ref().is_none_or(|o| c.0.contains(o))) {
        let input = batches(records, input);
        let bytes: usize = input.iter().map(|b| b.data.len()).sum();
        for columns in columns {
            let mut times = vec![];
            let mut rows = 0;
            for _ in 0..runs.max(1) {
                let mut decoder = decoder(*columns);
                rows = 0;
                let start = cpu_ns();
                for batch in &input {
                    rows += decoder.decode(batch).expect("bad records are rejected").rows.num_rows();
                }
                times.push((cpu_ns() - start) as f64 / records as f64);
            }
            times.sort_by(f64::total_cmp);
            let (low, median) = (times[0], times[times.len() / 2]);
            println!("| {name} | {columns} | {:.0} | {rows} | {low:.1} | {median:.1} |", bytes as f64 / records as f64);
        }
    }
}
