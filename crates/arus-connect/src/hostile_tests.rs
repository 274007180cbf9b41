//! Hostile bytes at every format: each record is a row or a reject, nothing panics, memory stays where it is.
//!
//! `ARUS_FUZZ_RECORDS` makes it longer.

use std::sync::Arc;

use arus_core::catalog::ConnectorCatalog;
use arus_core::connector::{PollLimit, Polled};
use arus_core::rng::Rng;
use arus_core::types::{RowField, TimeAttribute};
use arus_core::{LogicalType, TypeKind};

use crate::Registry;
use crate::conformance::{Lines, context, table};
use crate::format::json::raw_records;

const RECORDS: u64 = 10_000;
const GROWTH_KB: u64 = 200 << 10;

fn count() -> u64 {
    std::env::var("ARUS_FUZZ_RECORDS").ok().and_then(|n| n.parse().ok()).unwrap_or(RECORDS)
}

/// Of this process, at most so far.
#[expect(clippy::disallowed_methods, reason = "the system's own figure")]
fn peak_kb() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = text.lines().find(|l| l.starts_with("VmHWM")).expect("a peak");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

fn columns() -> Vec<(&'static str, LogicalType)> {
    let field = |name: &str, kind: TypeKind| RowField { name: name.into(), ty: kind.nullable(), comment: None };
    let attribute = TimeAttribute::None;
    [
        ("i", TypeKind::Int),
        ("big", TypeKind::BigInt),
        ("d", TypeKind::Double),
        ("n", TypeKind::Decimal { precision: 20, scale: 4 }),
        ("b", TypeKind::Boolean),
        ("s", TypeKind::STRING),
        ("y", TypeKind::BYTES),
        ("dt", TypeKind::Date),
        ("tm", TypeKind::Time(3)),
        ("ts", TypeKind::Timestamp { precision: 3, attribute }),
        ("l", TypeKind::TimestampLtz { precision: 3, attribute }),
        ("a", TypeKind::Array(Box::new(TypeKind::STRING.nullable()))),
        ("r", TypeKind::Row(vec![field("x", TypeKind::Int), field("y", TypeKind::STRING)])),
    ]
    .map(|(name, kind)| (name, kind.nullable()))
    .into()
}

fn mutate(rng: &mut Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = corpus[rng.below(corpus.len() as u64) as usize].clone();
    for _ in 0..1 + rng.below(4) {
        let at = rng.below(bytes.len().max(1) as u64) as usize;
        let upto = (at + 1 + rng.below(12) as usize).min(bytes.len());
        match rng.below(7) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << rng.below(8),
            1 if !bytes.is_empty() => bytes[at] = b"\0\xff\"\\{}[],:9-.eE\n"[rng.below(16) as usize],
            2 => drop(bytes.drain(at.min(bytes.len())..upto)),
            3 => bytes.truncate(at),
            4 if at < upto => {
                let part = bytes[at..upto].repeat(1 + rng.below(300) as usize);
                bytes.splice(at..at, part);
            }
            5 => {
                let noise: Vec<u8> = (0..rng.below(20)).map(|_| rng.next_u64() as u8).collect();
                let at = at.min(bytes.len());
                bytes.splice(at..at, noise);
            }
            6 => {
                let deep = [&b"["[..], b"{\"r\":", b"\"", b"\\u00", b"9", b","][rng.below(6) as usize];
                let at = at.min(bytes.len());
                bytes.splice(at..at, deep.repeat(rng.below(2_000) as usize));
            }
            _ => {}
        }
    }
    bytes
}

fn row() -> &'static str {
    concat!(
        r#"{"i":1,"big":-9223372036854775808,"d":1.5e300,"n":1.25,"b":true,"s":"t\u00e4\ud83d\ude00","y":"AQL/","#,
        r#""dt":"2024-02-29","tm":"03:04:05","ts":"2024-01-02 03:04:05.678","l":"2024-01-02 03:04:05Z","#,
        r#""a":["x",null],"r":{"x":1,"y":"z"}}"#
    )
}

/// A format, the columns of its table, records that it takes.
type Sample = (&'static str, Vec<(&'static str, LogicalType)>, Vec<Vec<u8>>);

#[test]
fn records_are_rows_or_rejects() {
    let change = |op: &str| format!(r#"{{"before":{},"after":{},"op":"{op}","ts_ms":1}}"#, row(), row()).into_bytes();
    let line = b"1,2,1.5,1.25,true,\"a \"\"quoted\"\" text\",AQL/,2024-02-29,03:04:05,2024-01-02 03:04:05.678,2024-01-02 03:04:05Z,x;y,1;z";
    let formats: [Sample; 4] = [
        ("json", columns(), vec![row().into(), b"{}".to_vec(), b"[1, {\"i\": null}]".to_vec()]),
        ("csv", columns(), vec![line.to_vec(), b",,,,,,,,,,,,".to_vec()]),
        ("debezium-json", columns(), [change("c"), change("u"), change("d"), b"{\"op\":\"r\"}".to_vec()].into()),
        ("raw", vec![("big", TypeKind::BigInt.nullable())], vec![b"12345678".to_vec(), b"".to_vec()]),
    ];
    for (format, columns, corpus) in formats {
        let before = peak_kb();
        let table = table(&columns, &[("connector", "filesystem"), ("path", "x"), ("format", format)]);
        let schema = table.physical_schema();
        let found = Registry.format(format).expect("is registered");
        let cx = context(&Arc::new(Lines::default()));
        let mut decoder = found.decoder(&table, &schema, &cx).expect("a decoder");
        let mut rng = Rng::seeded(11);
        let mut left = count();
        let (mut rows, mut rejected) = (0, 0);
        while left > 0 {
            let n = (1 + rng.below(40)).min(left);
            left -= n;
            let records: Vec<Vec<u8>> = (0..n).map(|_| mutate(&mut rng, &corpus)).collect();
            let slices: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
            let decoded = decoder.decode(&raw_records(&slices)).expect("records never fail the whole");
            assert_eq!(decoded.records.len(), decoded.rows.num_rows(), "{format}");
            let mut named: Vec<u32> = decoded.records.clone();
            named.dedup();
            for reject in &decoded.rejected {
                assert!(u64::from(reject.record) < n, "{format}: {reject:?}");
                assert!(named.binary_search(&reject.record).is_err(), "{format}: {} is both", reject.record);
                assert!(reject.reason.len() < 10_000, "{format}: a reason of {} bytes", reject.reason.len());
            }
            (rows, rejected) = (rows + decoded.rows.num_rows(), rejected + decoded.rejected.len());
        }
        let grown = peak_kb().saturating_sub(before);
        println!("{format}: {rows} rows, {rejected} rejects, {} MB more", grown >> 10);
        assert!(rows > 0 && rejected > 0, "{format}: {rows} rows, {rejected} rejects");
        assert!(grown < GROWTH_KB, "{format}: {} MB more", grown >> 10);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "real files")]
fn files_of_columns_are_read_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = crate::format::parquet::tests::a_file(folder.path());
    let whole = std::fs::read(&good).expect("reads");
    let broken = folder.path().join("broken");
    let text = broken.display().to_string();
    let columns = crate::format::parquet::tests::columns();
    let table = table(&columns, &[("connector", "filesystem"), ("path", &text), ("format", "parquet")]);
    let cx = context(&Arc::new(Lines::default()));
    let mut rng = Rng::seeded(12);
    let before = peak_kb();
    let (mut read, mut refused) = (0, 0);
    let attempt = |bytes: &[u8]| -> arus_core::Result<()> {
        std::fs::write(&broken, bytes).expect("writes");
        let source = Registry.connector("filesystem").expect("registered").source(&table, &cx)?;
        for split in source.enumerate(&[])? {
            let mut reader = source.open(&split, None)?;
            for _ in 0..1_000 {
                if let Polled::End = reader.poll(PollLimit { rows: 100, bytes: 1 << 20 })? {
                    break;
                }
            }
        }
        Ok(())
    };
    for _ in 0..count() / 5 {
        // The end is where the places of everything are.
        let mut bytes = whole.clone();
        for _ in 0..1 + rng.below(3) {
            let tail = rng.below(3) != 0;
            let from = if tail { bytes.len() / 2 } else { 0 };
            let at = from + rng.below((bytes.len() - from) as u64) as usize;
            match rng.below(3) {
                0 => bytes[at] ^= 1 << rng.below(8),
                1 => bytes[at] = rng.next_u64() as u8,
                _ => {
                    let upto = (at + 8).min(bytes.len());
                    bytes[at..upto].fill([0, 0xff][rng.below(2) as usize]);
                }
            }
        }
        match attempt(&bytes) {
            Ok(()) => read += 1,
            Err(_) => refused += 1,
        }
    }
    for cut in (0..whole.len()).step_by(97) {
        assert!(attempt(&whole[..cut]).is_err(), "a file of {cut} bytes");
    }
    let grown = peak_kb().saturating_sub(before);
    println!("parquet: {read} read, {refused} refused, {} MB more", grown >> 10);
    assert!(read > 0 && refused > 0);
    assert!(grown < GROWTH_KB, "{} MB more", grown >> 10);
}
