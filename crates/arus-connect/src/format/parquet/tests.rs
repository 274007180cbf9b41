//! Rows through a file and back: every type, a projection, a position in the middle, a broken file.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use arus_core::catalog::{ConnectorCatalog, TableDef};
use arus_core::connector::{CommitToken, ConnectContext, Format, PollLimit, Polled, Position, Source};
use arus_core::types::{RowField, TimeAttribute};
use arus_core::{ChangeBatch, Column, LogicalType, Result, RowSchema, TypeKind};

use crate::Registry;
use crate::conformance::{Lines, context, table};
use crate::format::json::{Json, raw_records};
use crate::sink::print::RowLines;

fn done<T>(call: impl Future<Output = Result<T>>) -> T {
    match std::pin::pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome.expect("no failure"),
        Poll::Pending => panic!("files wait for nothing"),
    }
}

pub(crate) fn columns() -> Vec<(&'static str, LogicalType)> {
    let field = |name: &str, kind: TypeKind| RowField { name: name.into(), ty: kind.nullable(), comment: None };
    let attribute = TimeAttribute::None;
    [
        ("i", TypeKind::Int),
        ("small", TypeKind::SmallInt),
        ("big", TypeKind::BigInt),
        ("d", TypeKind::Double),
        ("f", TypeKind::Float),
        ("n", TypeKind::Decimal { precision: 20, scale: 4 }),
        ("b", TypeKind::Boolean),
        ("s", TypeKind::STRING),
        ("y", TypeKind::BYTES),
        ("dt", TypeKind::Date),
        ("tm", TypeKind::Time(3)),
        ("t3", TypeKind::Timestamp { precision: 3, attribute }),
        ("t6", TypeKind::Timestamp { precision: 6, attribute }),
        ("t9", TypeKind::Timestamp { precision: 9, attribute }),
        ("l", TypeKind::TimestampLtz { precision: 3, attribute }),
        ("a", TypeKind::Array(Box::new(TypeKind::STRING.nullable()))),
        ("r", TypeKind::Row(vec![field("x", TypeKind::Int), field("y", TypeKind::STRING)])),
    ]
    .map(|(name, kind)| (name, kind.nullable()))
    .into()
}

fn rows(table: &TableDef, cx: &ConnectContext) -> ChangeBatch {
    let mut records: Vec<String> = vec![
        concat!(
            r#"{"i":1,"small":2,"big":3,"d":1.5,"f":2.5,"n":1.25,"b":true,"s":"text","y":"AQL/","dt":"2024-02-29","#,
            r#""tm":"03:04:05","t3":"2024-01-02 03:04:05.678","t6":"2024-01-02 03:04:05.678901","#,
            r#""t9":"2024-01-02 03:04:05.678901234","l":"2024-01-02 03:04:05Z","a":["x",null],"r":{"x":1,"y":"z"}}"#
        )
        .into(),
        "{}".into(),
    ];
    records.extend((2..30).map(|i| format!("{{\"i\":{i},\"s\":\"{}\",\"a\":[]}}", "long ".repeat(i % 7))));
    let slices: Vec<&[u8]> = records.iter().map(|r| r.as_bytes()).collect();
    let schema = table.physical_schema();
    let decoded = Json.decoder(table, &schema, cx).expect("a decoder").decode(&raw_records(&slices)).expect("decodes");
    assert!(decoded.rejected.is_empty(), "{:?}", decoded.rejected);
    ChangeBatch::inserts(decoded.rows)
}

fn lines(table: &TableDef, batch: &ChangeBatch) -> Vec<String> {
    let mut text = String::new();
    RowLines::new(table.columns.iter().map(|c| c.ty.clone()).collect(), String::new()).write(batch, &mut text);
    text.lines().map(str::to_string).collect()
}

fn read(table: &TableDef, source: &dyn Source, from: Option<&Position>, rows: usize) -> Vec<(Vec<String>, Position)> {
    let splits = source.enumerate(&[]).expect("splits");
    assert_eq!(splits.len(), 1, "{splits:?}");
    let mut reader = source.open(&splits[0], from).expect("opens");
    let mut found = vec![];
    for _ in 0..100 {
        match reader.poll(PollLimit { rows, bytes: 1 << 20 }).expect("polls") {
            Polled::Rows(rows) => found.push((lines(table, &ChangeBatch::inserts(rows)), reader.position())),
            Polled::End => return found,
            _ => panic!("rows or the end"),
        }
    }
    panic!("no end")
}

#[test]
fn rows_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out").display().to_string();
    let cx = context(&Arc::new(Lines::default()));
    let connector = Registry.connector("filesystem").expect("registered");
    for compression in ["SNAPPY", "ZSTD", "GZIP", "LZ4_RAW", "UNCOMPRESSED"] {
        let at = format!("{path}-{compression}");
        let options = [
            ("connector", "filesystem"),
            ("path", at.as_str()),
            ("format", "parquet"),
            ("parquet.compression", compression),
        ];
        let table = table(&columns(), &options);
        let batch = rows(&table, &cx);
        let mut sink = connector.sink(&table, &cx).expect("a sink");
        sink.write(&batch).expect("writes");
        let token: CommitToken = done(sink.prepare(1)).expect("rows");
        sink.take_sync().expect("files")().expect("syncs");
        done(sink.commit(&token));
        let expected = lines(&table, &batch);
        let source = connector.source(&table, &cx).expect("a source");
        let polls = read(&table, source.as_ref(), None, 8);
        assert_eq!(polls.iter().flat_map(|p| p.0.clone()).collect::<Vec<_>>(), expected, "{compression}");
        let mut before = 0;
        for (rows, position) in &polls {
            before += rows.len();
            let rest: Vec<String> =
                read(&table, source.as_ref(), Some(position), 8).into_iter().flat_map(|p| p.0).collect();
            assert_eq!(rest, expected[before..], "from {position:?}");
        }
        let only = RowSchema::new(vec![Column { name: "s".into(), ty: TypeKind::STRING.nullable() }]);
        let source = connector.source_of(&table, &only, &cx).expect("a source");
        let first = read(&table, source.as_ref(), None, 8).remove(0).0.remove(0);
        assert_eq!(first, format!("+I[{}text{}]", "null, ".repeat(7), ", null".repeat(9)));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a real file")]
fn what_is_no_parquet_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x");
    std::fs::write(&path, "no parquet at all").expect("writes");
    let text = path.display().to_string();
    let table = table(&columns(), &[("connector", "filesystem"), ("path", &text), ("format", "parquet")]);
    let cx = context(&Arc::new(Lines::default()));
    let source = Registry.connector("filesystem").expect("registered").source(&table, &cx).expect("a source");
    let split = source.enumerate(&[]).expect("splits").remove(0);
    let error = source.open(&split, None).err().expect("refused");
    assert!(error.message().contains("cannot be read as parquet"), "{error}");
}

/// A small file with every type.
pub(crate) fn a_file(folder: &std::path::Path) -> std::path::PathBuf {
    let path = folder.join("good");
    let text = path.display().to_string();
    let table = table(&columns(), &[("connector", "filesystem"), ("path", &text), ("format", "parquet")]);
    let cx = context(&Arc::new(Lines::default()));
    let mut sink = Registry.connector("filesystem").expect("registered").sink(&table, &cx).expect("a sink");
    sink.write(&rows(&table, &cx)).expect("writes");
    let token: CommitToken = done(sink.prepare(1)).expect("rows");
    sink.take_sync().expect("files")().expect("syncs");
    done(sink.commit(&token));
    let source = Registry.connector("filesystem").expect("registered").source(&table, &cx).expect("a source");
    source.enumerate(&[]).expect("splits")[0].id.as_str().into()
}
