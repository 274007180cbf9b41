//! What Flink 2.3.0 wrote for the rows of `testdata/rows.json` is written byte for byte; records by their conversions.

use std::sync::Arc;

use arus_core::connector::{EncodedRecords, Format};
use arus_core::types::{RowField, TimeAttribute};
use arus_core::{ChangeBatch, LogicalType, RowKind, TypeKind};

use super::{Csv, record_len};
use crate::conformance::{Lines, context, table};
use crate::format::json::{Json, raw_records};
use crate::sink::print::RowLines;

fn every_type() -> Vec<(&'static str, LogicalType)> {
    let row = |fields: &[(&str, TypeKind)]| {
        let field = |(name, kind): &(&str, TypeKind)| RowField {
            name: name.to_string(),
            ty: kind.clone().nullable(),
            comment: None,
        };
        TypeKind::Row(fields.iter().map(field).collect())
    };
    let list = |kind: TypeKind| TypeKind::Array(Box::new(kind.nullable()));
    let attribute = TimeAttribute::None;
    [
        ("i", TypeKind::Int),
        ("s", TypeKind::STRING),
        ("d", TypeKind::Double),
        ("f", TypeKind::Float),
        ("n", TypeKind::Decimal { precision: 20, scale: 10 }),
        ("b", TypeKind::Boolean),
        ("ts", TypeKind::Timestamp { precision: 3, attribute }),
        ("l", TypeKind::TimestampLtz { precision: 3, attribute }),
        ("dt", TypeKind::Date),
        ("tm", TypeKind::Time(3)),
        ("a", list(TypeKind::STRING)),
        ("an", list(TypeKind::Int)),
        ("r", row(&[("x", TypeKind::Int), ("y", TypeKind::STRING)])),
        ("y", TypeKind::BYTES),
    ]
    .map(|(name, kind)| (name, kind.nullable()))
    .into()
}

fn encoded(options: &[(&str, &str)]) -> String {
    let mut all = vec![("connector", "filesystem")];
    all.extend(options);
    let table = table(&every_type(), &all);
    let cx = context(&Arc::new(Lines::default()));
    let records: Vec<&[u8]> = include_str!("testdata/rows.json").lines().map(str::as_bytes).collect();
    let schema = table.physical_schema();
    let rows = Json.decoder(&table, &schema, &cx).expect("a decoder").decode(&raw_records(&records)).expect("decodes");
    assert!(rows.rejected.is_empty(), "{:?}", rows.rejected);
    let mut out = EncodedRecords::default();
    let mut encoder = Csv.encoder(&table, &schema, &cx).expect("an encoder");
    encoder.encode(&ChangeBatch::inserts(rows.rows.clone()), &mut out).expect("encodes");
    let kinds = vec![RowKind::Delete; rows.rows.num_rows()];
    assert!(encoder.encode(&ChangeBatch::new(rows.rows, kinds), &mut EncodedRecords::default()).is_err());
    let mut text = String::new();
    let mut start = 0;
    for end in out.ends {
        text.push_str(std::str::from_utf8(&out.data[start..end]).expect("text"));
        text.push('\n');
        start = end;
    }
    text
}

fn same(found: &str, expected: &str) {
    for (found, expected) in found.split('\n').zip(expected.split('\n')) {
        assert_eq!(found, expected);
    }
    assert_eq!(found, expected);
}

#[test]
fn writes_what_flink_writes() {
    same(&encoded(&[]), include_str!("testdata/plain.csv"));
    let semicolons = [("csv.field-delimiter", ";"), ("csv.null-literal", "n/a"), ("csv.array-element-delimiter", "|")];
    same(&encoded(&semicolons), include_str!("testdata/semicolons.csv"));
    let unquoted = [("csv.disable-quote-character", "true"), ("csv.escape-character", "\\")];
    same(&encoded(&unquoted), include_str!("testdata/unquoted.csv"));
    let escaped = [("csv.quote-character", "'"), ("csv.escape-character", "\\"), ("csv.field-delimiter", "\\t")];
    same(&encoded(&escaped), include_str!("testdata/escaped.csv"));
}

fn decode(columns: &[(&str, LogicalType)], options: &[(&str, &str)], records: &[&str]) -> (Vec<String>, Vec<String>) {
    let table = table(columns, options);
    let cx = context(&Arc::new(Lines::default()));
    let bytes: Vec<&[u8]> = records.iter().map(|r| r.as_bytes()).collect();
    let mut decoder = Csv.decoder(&table, &table.physical_schema(), &cx).expect("a decoder");
    let decoded = decoder.decode(&raw_records(&bytes)).expect("decodes");
    let mut text = String::new();
    let types = columns.iter().map(|c| c.1.clone()).collect();
    RowLines::new(types, String::new()).write(&ChangeBatch::inserts(decoded.rows), &mut text);
    let reasons = decoded.rejected.into_iter().map(|r| format!("{}: {}", r.record, r.reason)).collect();
    (text.lines().map(str::to_string).collect(), reasons)
}

#[test]
fn bad_records_are_rejected_with_the_reason() {
    let columns =
        [("i", TypeKind::Int.nullable()), ("s", TypeKind::STRING.nullable()), ("b", TypeKind::Boolean.nullable())];
    let records = [
        "1,a",
        "2,a,true,x",
        "x,a,true",
        "",
        "3,\"a,true",
        "4,\"a\"x,true",
        " 5 ,\"a \"\"b\"\"\" , true",
        "6,é,",
        "7,\u{1F600},1",
    ];
    let (lines, reasons) = decode(&columns, &[], &records);
    assert_eq!(lines, ["+I[5, a \"b\", true]", "+I[6, é, false]", "+I[7, \u{1F600}, false]"]);
    let expected = [
        "0: expected 3 fields, found 2",
        "1: expected 3 fields, found more",
        "2: field 'i': expected INT, found \"x\"",
        "3: expected 3 fields, found 1",
        "4: the quote at byte 2 is not closed",
        "5: expected the delimiter after the quoted field at byte 5",
    ];
    assert_eq!(reasons, expected);
    let (lines, reasons) = decode(&columns, &[("csv.ignore-parse-errors", "true")], &records);
    assert_eq!(lines[..3], ["+I[1, a, null]", "+I[null, a, true]", "+I[null, null, null]"]);
    assert_eq!((lines.len(), reasons.len()), (6, 0));
}

#[test]
fn records_of_a_file_end_outside_of_quotes() {
    let len = |text: &str, at_end| record_len(text.as_bytes(), at_end, b',', Some(b'"'), Some(b'\\'));
    assert_eq!(len("a,b\nc", false), Some((3, 4)));
    assert_eq!(len("a,b\r\nc", false), Some((3, 5)));
    assert_eq!(len("a,b\rc", false), Some((3, 4)));
    assert_eq!(len("a,b\r", false), None);
    assert_eq!(len("a,b\r", true), Some((3, 4)));
    assert_eq!(len("a,\"b\nc\"\nd", false), Some((7, 8)));
    assert_eq!(len("a,\"b\"\"\nc\"\nd", false), Some((9, 10)));
    assert_eq!(len("a,x\"b\nc\"\nd", false), Some((5, 6)), "a quote inside of a field is none");
    assert_eq!(len("a\\\nb\nc", false), Some((4, 5)));
    assert_eq!(len("a,\"b", true), None);
}

#[test]
fn options_are_checked() {
    let cx = context(&Arc::new(Lines::default()));
    let refused = |columns: &[(&str, LogicalType)], options: &[(&str, &str)]| {
        let table = table(columns, options);
        Csv.decoder(&table, &table.physical_schema(), &cx).err().expect("refused").to_string()
    };
    let int = || TypeKind::Int.nullable();
    for option in ["field-delimiter", "quote-character", "escape-character", "array-element-delimiter"] {
        let text = refused(&[("a", int())], &[(&format!("csv.{option}"), "ab")]);
        assert!(text.contains(&format!("'csv.{option}': expected a single ASCII character, found 'ab'")), "{text}");
    }
    let both = [("csv.disable-quote-character", "true"), ("csv.quote-character", "x")];
    assert!(refused(&[("a", int())], &both).contains("although"));
    let map = TypeKind::Map(Box::new(int()), Box::new(int())).nullable();
    let nested = TypeKind::Array(Box::new(TypeKind::Array(Box::new(int())).nullable())).nullable();
    for ty in [map, nested, TypeKind::Time(6).nullable()] {
        assert!(refused(&[("m", ty)], &[]).contains("column 'm': format csv has no form for"));
    }
}
