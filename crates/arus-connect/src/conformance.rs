//! What every connector must do, run over the registry: refuse a bad option, open, go on from a position with exactly
//! the remaining rows, end where it is bounded.
#![expect(clippy::disallowed_methods, reason = "real files, since links and paths are part of what is tested")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use arus_core::catalog::ConnectorCatalog;
use arus_core::catalog::{ColumnKind, ObjectPath, TableColumn, TableDef, TableKind};
use arus_core::clock::Clock;
use arus_core::connector::{
    ConnectContext, Decoder, HostPolicy, LineOutput, PathPolicy, PollLimit, Polled, Position, RawBatch, RawRecord,
    Source, Span, Split,
};
use arus_core::limits::RECORD_BYTES;
use arus_core::secret::Secrets;
use arus_core::types::RowField;
use arus_core::{ChangeBatch, LogicalType, Result, RowKind, TypeKind};

use arus_storage::DiskFs;

use crate::{Registry, RowLines, check_options};

/// Keeps what was written.
#[derive(Default)]
pub(crate) struct Lines(pub(crate) Mutex<Vec<String>>);

impl LineOutput for Lines {
    fn write_lines(&self, lines: &str) -> Result<()> {
        self.0.lock().expect("lines").push(lines.to_string());
        Ok(())
    }
}

/// A clock that stands where it is put.
#[derive(Default)]
pub(crate) struct FixedClock(pub(crate) std::sync::atomic::AtomicI64);

impl Clock for FixedClock {
    fn now_ms(&self) -> i64 {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn monotonic_ns(&self) -> u64 {
        self.now_ms() as u64 * 1_000_000
    }
}

pub(crate) fn context(lines: &Arc<Lines>) -> ConnectContext {
    ConnectContext {
        fs: Arc::new(DiskFs),
        clock: Arc::new(FixedClock::default()),
        seed: 7,
        paths: Arc::new(PathPolicy::Unrestricted),
        hosts: Arc::new(HostPolicy::Unrestricted),
        secrets: Secrets::with_variables(Arc::new(DiskFs), None, Arc::new(|_| None)),
        working_dir: std::env::temp_dir(),
        stdout: lines.clone(),
        stderr: lines.clone(),
        time_zone: "UTC".into(),
        mark_watermarks: false,
        task: None,
    }
}

pub(crate) fn table(columns: &[(&str, LogicalType)], options: &[(&str, &str)]) -> TableDef {
    TableDef {
        path: ObjectPath::in_default("t"),
        kind: TableKind::Connector,
        columns: columns
            .iter()
            .map(|(name, ty)| TableColumn {
                name: name.to_string(),
                ty: ty.clone(),
                kind: ColumnKind::Physical,
                comment: None,
            })
            .collect(),
        watermark: None,
        primary_key: vec![],
        primary_key_name: None,
        partition_keys: vec![],
        distribution: None,
        options: options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect::<BTreeMap<_, _>>(),
        comment: None,
        temporary: false,
        query: None,
        hidden_count: false,
    }
}

/// What a connector under test is declared with, and options that it must refuse by name.
struct Case {
    connector: &'static str,
    columns: Vec<(&'static str, LogicalType)>,
    options: Vec<(&'static str, String)>,
    bad: Vec<(&'static str, &'static str)>,
}

fn cases(folder: &Path) -> Vec<Case> {
    let columns = || vec![("a", TypeKind::Int.nullable()), ("s", TypeKind::STRING.nullable())];
    let for_folder = folder.display().to_string();
    vec![
        Case { connector: "blackhole", columns: columns(), options: vec![], bad: vec![("path", "x")] },
        Case {
            connector: "datagen",
            columns: columns(),
            options: vec![("number-of-rows", "30".into()), ("fields.s.length", "40".into())],
            bad: vec![("rows-per-second", "fast"), ("fields.a.kind", "random walk"), ("number-of-row", "3")],
        },
        Case {
            connector: "filesystem",
            columns: columns(),
            options: vec![("path", for_folder), ("format", "json".into())],
            bad: vec![
                ("format", "jsn"),
                ("source.monitor-interval", "soon"),
                ("pth", "x"),
                ("json.ignore-parse-errors", "maybe"),
            ],
        },
        Case {
            connector: "host-metrics",
            columns: vec![("kind", TypeKind::STRING.nullable()), ("value", TypeKind::Double.nullable())],
            options: vec![],
            bad: vec![("interval", "often"), ("processes", "all")],
        },
        Case {
            connector: "jdbc",
            columns: columns(),
            options: vec![("url", "jdbc:postgresql://db/shop".into()), ("table-name", "t".into())],
            bad: vec![("connection.max-retry-timeout", "soon"), ("sink.max-retries", "few"), ("tablename", "x")],
        },
        Case {
            connector: "nexmark",
            columns: vec![("event_type", TypeKind::Int.nullable())],
            options: vec![("events.num", "30".into())],
            bad: vec![("events.num", "many"), ("event.num", "3")],
        },
        Case {
            connector: "print",
            columns: columns(),
            options: vec![("print-identifier", "p".into())],
            bad: vec![("standard-error", "yes"), ("print-identifer", "x")],
        },
        Case {
            connector: "shop",
            columns: vec![("visit", TypeKind::BigInt.nullable()), ("country", TypeKind::STRING.nullable())],
            options: vec![("stream", "page-views".into()), ("start", "0".into()), ("length", "20 s".into())],
            bad: vec![("stream", "refunds"), ("visits-per-second", "many"), ("lenght", "3 s")],
        },
    ]
}

fn declared(case: &Case, bad: Option<(&str, &str)>) -> TableDef {
    let mut options: Vec<(&str, &str)> = vec![("connector", case.connector)];
    options.extend(case.options.iter().map(|(k, v)| (*k, v.as_str())));
    options.extend(bad);
    table(&case.columns, &options)
}

/// The rows of one poll as lines.
fn polled_lines(table: &TableDef, decoder: Option<&mut Box<dyn Decoder>>, polled: Polled) -> Vec<String> {
    let rows = match polled {
        Polled::Rows(rows) => rows,
        Polled::Changes(_) => panic!("a connector makes no changes"),
        Polled::Raw(raw) => {
            let decoded = decoder.expect("a format").decode(&raw).expect("decodes");
            assert!(decoded.rejected.is_empty(), "{:?}", decoded.rejected);
            assert_eq!(decoded.records.len(), decoded.rows.num_rows());
            decoded.rows
        }
        Polled::Idle | Polled::End => return vec![],
    };
    assert_eq!(rows.schema(), table.physical_schema().to_arrow(), "the schema of the table");
    let mut out = String::new();
    let types = table.columns.iter().map(|c| c.ty.clone()).collect();
    RowLines::new(types, String::new()).write(&ChangeBatch::inserts(rows), &mut out);
    out.lines().map(str::to_string).collect()
}

/// Reads a split to its end (or, unbounded, for ten polls). The position after each poll, with the lines before it.
fn read(
    table: &TableDef,
    source: &dyn Source,
    split: &Split,
    from: Option<&Position>,
    cx: &ConnectContext,
    clock: &FixedClock,
) -> (Vec<String>, Vec<(Position, usize)>) {
    let limit = PollLimit { rows: 4, bytes: 100 };
    let mut decoder = table.option("format").map(|format| {
        let format = Registry.format(format).expect("a format");
        format.decoder(table, &table.physical_schema(), cx).expect("a decoder")
    });
    let mut reader = source.open(split, from).expect("opens");
    let (mut lines, mut positions) = (vec![], vec![(reader.position(), 0)]);
    for polls in 0.. {
        let polled = reader.poll(limit).expect("polls");
        if matches!(polled, Polled::End) {
            assert!(matches!(reader.poll(limit), Ok(Polled::End)), "the end stays");
            break;
        }
        if !source.bounded() && polls == 10 {
            break;
        }
        assert!(polls < 10_000, "a bounded split ends");
        lines.extend(polled_lines(table, decoder.as_mut(), polled));
        positions.push((reader.position(), lines.len()));
        clock.0.fetch_add(100, std::sync::atomic::Ordering::SeqCst);
    }
    (lines, positions)
}

#[test]
fn every_connector_keeps_its_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("sub")).expect("a folder");
    let line = |i: i32| format!("{{\"a\":{i},\"s\":\"{}\"}}", "x".repeat(i as usize * 7 % 120));
    let first: Vec<_> = (0..25).map(line).collect();
    std::fs::write(folder.path().join("b.json"), first.join("\r\n")).expect("writes");
    std::fs::write(folder.path().join("sub/c"), format!("{}\n\n{}\n", line(90), line(91))).expect("writes");
    std::fs::write(folder.path().join("_hidden"), "no").expect("writes");
    std::fs::write(folder.path().join("sub/.hidden"), "no").expect("writes");
    let cases = cases(folder.path());
    assert_eq!(cases.iter().map(|c| c.connector).collect::<Vec<_>>(), Registry.connector_names(), "a case for each");
    for case in &cases {
        let connector = Registry.connector(case.connector).expect("registered");
        for bad in &case.bad {
            let error = check_options(&declared(case, Some(*bad)), &Registry, &[]).expect_err(bad.0);
            assert!(error.message().contains(bad.0) || error.message().contains(bad.1), "{}: {error}", case.connector);
            assert!(error.message().starts_with("table 't': "), "{error}");
        }
        let table = declared(case, None);
        check_options(&table, &Registry, &["scan.watermark.idle-timeout"]).expect("good options");
        let clock = Arc::new(FixedClock(1_000_000.into()));
        let mut cx = context(&Arc::new(Lines::default()));
        cx.clock = clock.clone();
        assert_eq!(connector.is_sink(), connector.sink(&table, &cx).is_ok(), "{}", case.connector);
        if !connector.is_source() {
            let error = connector.source(&table, &cx).err().expect("refused");
            assert!(error.message().contains("can only be used as a sink"), "{error}");
            continue;
        }
        let source = connector.source(&table, &cx).expect("a source");
        let splits = source.enumerate(&[]).expect("splits");
        assert!(!splits.is_empty());
        assert_eq!(source.enumerate(&splits).expect("splits"), [], "{}: known splits are known", case.connector);
        for split in &splits {
            let (all, positions) = read(&table, source.as_ref(), split, None, &cx, &clock);
            assert!(!source.replayable() || all.len() > 1, "{}", case.connector);
            for (position, before) in positions.iter().filter(|_| source.replayable()) {
                let (rest, _) = read(&table, source.as_ref(), split, Some(position), &cx, &clock);
                assert_eq!(rest, all[*before..], "{} from {position:?}", case.connector);
            }
        }
    }
}

fn filesystem(options: &[(&str, &str)], paths: PathPolicy) -> (TableDef, ConnectContext) {
    let mut all = vec![("connector", "filesystem"), ("format", "json")];
    all.extend(options);
    let mut cx = context(&Arc::new(Lines::default()));
    cx.paths = Arc::new(paths);
    (table(&[("a", TypeKind::Int.nullable())], &all), cx)
}

fn enumerate(options: &[(&str, &str)], paths: PathPolicy) -> Result<Vec<String>> {
    let (table, cx) = filesystem(options, paths);
    let source = Registry.connector("filesystem").expect("registered").source(&table, &cx)?;
    Ok(source.enumerate(&[])?.into_iter().map(|s| s.id).collect())
}

#[test]
fn paths_are_found_watched_and_guarded() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = std::fs::canonicalize(folder.path()).expect("a path");
    let at = |name: &str| root.join(name).display().to_string();
    std::fs::create_dir(root.join("in")).expect("a folder");
    for name in ["in/b.json", "in/a.json", "in/c.txt", "secret"] {
        std::fs::write(root.join(name), "{\"a\":1}\n").expect("writes");
    }
    std::os::unix::fs::symlink(root.join("secret"), root.join("in/link")).expect("links");
    let free = || PathPolicy::Unrestricted;
    let (one, all) = (at("in/a.json"), at("in"));
    assert_eq!(enumerate(&[("path", &one)], free()).expect("a file"), [at("in/a.json")]);
    assert_eq!(enumerate(&[("path", &format!("file://{one}"))], free()).expect("a URL"), [at("in/a.json")]);
    let found = enumerate(&[("path", &all), ("source.path.regex-pattern", ".*/in/.*\\.json")], free());
    assert_eq!(found.expect("two files"), [at("in/a.json"), at("in/b.json")]);
    let error = enumerate(&[("path", &at("nowhere"))], free()).expect_err("missing");
    assert!(error.message().contains("table 't': cannot read") && error.hint().is_some(), "{error}");
    let error = enumerate(&[("path", &at("in/*.json"))], free()).expect_err("a glob");
    assert!(error.hint().expect("a hint").contains("source.path.regex-pattern"), "{error}");
    let error = enumerate(&[("path", "s3://bucket/x")], free()).expect_err("a scheme");
    assert!(error.hint().expect("a hint").contains("'s3'"), "{error}");

    let only = || PathPolicy::Only(vec![root.join("in")]);
    assert_eq!(enumerate(&[("path", &one)], only()).expect("inside"), [at("in/a.json")]);
    for outside in ["secret", "in/link", "in/../secret", "nowhere"] {
        let error = enumerate(&[("path", &at(outside))], only()).expect_err(outside);
        assert!(error.message().contains(&format!("outside of the allowed folders ({})", at("in"))), "{error}");
        assert!(error.hint().expect("a hint").contains("--allow-path"));
    }
    // A link inside of a folder that is read leads outside: that file is refused when it is opened.
    let (table, cx) = filesystem(&[("path", &all), ("source.monitor-interval", "10 ms")], only());
    let source = Registry.connector("filesystem").expect("registered").source(&table, &cx).expect("a source");
    let splits = source.enumerate(&[]).expect("splits");
    assert!(source.open(&splits[3], None).err().expect("refused").message().contains("outside"), "{:?}", splits[3]);
    assert!(!source.bounded() && source.discovery_interval_ms() == Some(10) && source.sequential());
    std::fs::write(root.join("in/d.json"), "{\"a\":2}").expect("writes");
    let new = source.enumerate(&splits).expect("splits");
    assert_eq!(new, [Split { id: at("in/d.json") }]);
    // Shortened since: what was read cannot be there.
    let error = source.open(&new[0], Some(&Position("100:3".into()))).err().expect("refused");
    assert!(error.message().contains("has 7 bytes, but 100 were already read"), "{error}");
}

#[test]
fn a_line_that_is_too_long_costs_itself_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("long.json");
    let long = format!("{{\"a\":2,\"s\":\"{}\"}}", "y".repeat(RECORD_BYTES));
    std::fs::write(&path, format!("{{\"a\":1}}\n{long}\n{{\"a\":3}}\n")).expect("writes");
    let text = path.display().to_string();
    let (table, cx) = filesystem(&[("path", &text)], PathPolicy::Unrestricted);
    let source = Registry.connector("filesystem").expect("registered").source(&table, &cx).expect("a source");
    let mut decoder =
        Registry.format("json").expect("a format").decoder(&table, &table.physical_schema(), &cx).expect("a decoder");
    let mut reader = source.open(&Split { id: text }, None).expect("opens");
    let (mut rows, mut reasons) = (0, vec![]);
    for _ in 0..10 {
        match reader.poll(PollLimit { rows: 100, bytes: 1 << 20 }).expect("polls") {
            Polled::Raw(raw) => {
                let decoded = decoder.decode(&raw).expect("decodes");
                rows += decoded.rows.num_rows();
                reasons.extend(decoded.rejected.into_iter().map(|r| (raw.records[r.record as usize].offset, r.reason)));
            }
            _ => break,
        }
    }
    assert_eq!(rows, 2);
    assert_eq!(reasons, [(1, format!("longer than {RECORD_BYTES} bytes at byte {RECORD_BYTES}"))]);
}

#[test]
fn print_writes_flinks_lines() {
    let lines = Arc::new(Lines::default());
    let mut cx = context(&lines);
    cx.mark_watermarks = true;
    let list = TypeKind::Array(Box::new(TypeKind::STRING.nullable()));
    let map = TypeKind::Map(Box::new(TypeKind::STRING.nullable()), Box::new(TypeKind::Double.nullable()));
    let none = arus_core::TimeAttribute::None;
    let nested = TypeKind::Row(
        [("x", TypeKind::Int.nullable()), ("y", list.nullable())]
            .map(|(name, ty)| RowField { name: name.into(), ty, comment: None })
            .into(),
    );
    let columns = [
        ("a", TypeKind::Int.nullable()),
        ("r", nested.nullable()),
        ("m", map.nullable()),
        ("y", TypeKind::BYTES.nullable()),
        ("n", TypeKind::Decimal { precision: 20, scale: 10 }.nullable()),
        ("t", TypeKind::Timestamp { precision: 3, attribute: none }.nullable()),
        ("l", TypeKind::TimestampLtz { precision: 3, attribute: none }.nullable()),
    ];
    let table = table(&columns, &[("connector", "print"), ("print-identifier", "out")]);
    let json = concat!(
        r#"[{"a":1,"r":{"x":null,"y":["b",null]},"m":{"k":1e10},"y":"AQL/","n":1e-8,"t":"2020-01-01 00:00:00.123","#,
        r#""l":"2020-01-01 00:00:00Z"},{"t":"2020-01-01 00:00:00"}]"#
    );
    let format = Registry.format("json").expect("a format");
    let mut decoder = format.decoder(&table, &table.physical_schema(), &cx).expect("a decoder");
    let value = Some(Span { start: 0, len: json.len() as u32 });
    let record = RawRecord { value, key: None, headers: None, offset: 0, timestamp_ms: 0 };
    let raw = RawBatch { data: json.as_bytes().to_vec().into(), records: vec![record], partition: 0 };
    let rows = decoder.decode(&raw).expect("decodes").rows;
    let mut sink = Registry.connector("print").expect("registered").sink(&table, &cx).expect("a sink");
    sink.write(&ChangeBatch::new(rows, vec![RowKind::UpdateBefore, RowKind::UpdateAfter])).expect("writes");
    sink.on_watermark(17).expect("writes");
    let written = lines.0.lock().expect("lines").clone();
    let expected = concat!(
        "out> -U[1, +I[null, [b, null]], {k=1.0E10}, [1, 2, -1], 1.00E-8, 2020-01-01T00:00:00.123, 2020-01-01T00:00:00Z]\n",
        "out> +U[null, null, null, null, null, 2020-01-01T00:00, null]\n"
    );
    assert_eq!(written, [expected, "~ watermark 17\n"], "one call a batch");
}

#[test]
fn envelopes_and_raw_values() {
    let cx = context(&Arc::new(Lines::default()));
    let known = crate::kafka_record_columns();
    let columns: Vec<_> = known.columns().iter().map(|c| (c.name.as_str(), c.ty.clone())).collect();
    // Two headers in Kafka's varints: h=v, then h=null.
    let data = b"key\xFFtext\x04\x02h\x02v\x02h\x01";
    let span = |start, len| Some(Span { start, len });
    let record = |key, value, headers, offset| RawRecord { key, value, headers, offset, timestamp_ms: 1_000 };
    let records = vec![
        record(span(0, 3), span(4, 4), span(8, 8), 5),
        record(None, span(3, 1), None, 6),
        record(None, None, None, 7),
    ];
    let raw = RawBatch { data: data.to_vec().into(), records, partition: 2 };
    let lines = |columns: &[(&str, LogicalType)], format: &str| {
        let table = table(columns, &[]);
        let format = Registry.format(format).expect("a format");
        let mut decoder = Some(format.decoder(&table, &table.physical_schema(), &cx).expect("a decoder"));
        polled_lines(&table, decoder.as_mut(), Polled::Raw(raw.clone()))
    };
    let expected = [
        "+I[[107, 101, 121], [116, 101, 120, 116], text, {h=null}, 1970-01-01T00:00:01Z, 2, 5]",
        "+I[null, [-1], null, {}, 1970-01-01T00:00:01Z, 2, 6]",
        "+I[null, null, null, {}, 1970-01-01T00:00:01Z, 2, 7]",
    ];
    assert_eq!(lines(&columns, "kafka-record"), expected);
    assert_eq!(lines(&columns[6..], "kafka-record"), ["+I[5]", "+I[6]", "+I[7]"]);
    assert_eq!(lines(&[("v", TypeKind::STRING.nullable())], "raw"), ["+I[text]", "+I[\u{fffd}]", "+I[null]"]);
    assert_eq!(
        lines(&[("v", TypeKind::BYTES.nullable())], "raw"),
        ["+I[[116, 101, 120, 116]]", "+I[[-1]]", "+I[null]"]
    );
    let two = table(&[("v", TypeKind::STRING.nullable()), ("w", TypeKind::STRING.nullable())], &[]);
    let error = Registry.format("raw").expect("a format").decoder(&two, &two.physical_schema(), &cx).err();
    assert!(error.expect("refused").message().contains("exactly one column, found 2"));
}
