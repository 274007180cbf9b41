use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int32Type;
use arus_core::connector::{Connector, PollLimit, Polled, Position, Split};
use arus_core::types::RowField;
use arus_core::{ChangeBatch, LogicalType, TimeAttribute, TypeKind};

use super::*;
use crate::conformance::{FixedClock, Lines, context, table};
use crate::sink::print::RowLines;

const SECOND: PollLimit = PollLimit { rows: 8_192, bytes: 1 << 20 };

fn columns() -> Vec<(&'static str, LogicalType)> {
    let row = TypeKind::Row(vec![RowField { name: "x".into(), ty: TypeKind::Int.nullable(), comment: None }]);
    let none = TimeAttribute::None;
    vec![
        ("i", TypeKind::Int.nullable()),
        ("q", TypeKind::BigInt.nullable()),
        ("f", TypeKind::Double.nullable()),
        ("n", TypeKind::Decimal { precision: 10, scale: 2 }.nullable()),
        ("s", TypeKind::STRING.nullable()),
        ("v", TypeKind::Varchar(20).nullable()),
        ("y", TypeKind::BYTES.nullable()),
        ("b", TypeKind::Boolean.nullable()),
        ("d", TypeKind::Date.nullable()),
        ("t", TypeKind::Time(3).nullable()),
        ("ts", TypeKind::Timestamp { precision: 6, attribute: none }.nullable()),
        ("lz", TypeKind::TimestampLtz { precision: 3, attribute: none }.nullable()),
        ("a", TypeKind::Array(Box::new(TypeKind::Int.nullable())).nullable()),
        ("m", TypeKind::Map(Box::new(TypeKind::STRING.nullable()), Box::new(row.clone().nullable())).nullable()),
        ("r", row.nullable()),
    ]
}

const OPTIONS: &[(&str, &str)] = &[
    ("rows-per-second", "10"),
    ("fields.i.min", "-3"),
    ("fields.i.max", "3"),
    ("fields.i.null-rate", "0.3"),
    ("fields.q.kind", "sequence"),
    ("fields.q.start", "100"),
    ("fields.q.end", "139"),
    ("fields.f.min", "1"),
    ("fields.f.max", "2"),
    ("fields.s.length", "5"),
    ("fields.v.var-len", "true"),
    ("fields.a.length", "2"),
    ("fields.a.element.min", "7"),
    ("fields.a.element.max", "8"),
    ("fields.lz.max-past", "1 s"),
];

/// All rows as lines, polled once every `step_ms` of the clock, and the position after each poll.
fn run(position: Option<&Position>, step_ms: i64) -> (Vec<String>, Vec<Position>) {
    let clock = Arc::new(FixedClock(1_700_000_000_000.into()));
    let mut cx = context(&Arc::new(Lines::default()));
    cx.clock = clock.clone();
    let columns = columns();
    let source = Datagen.source(&table(&columns, OPTIONS), &cx).expect("a source");
    assert!(source.bounded(), "a sequence ends");
    let mut reader = source.open(&Split { id: "rows".into() }, position).expect("opens");
    let lines = RowLines::new(columns.into_iter().map(|c| c.1).collect(), String::new());
    let (mut out, mut positions) = (String::new(), vec![]);
    for _ in 0..1_000 {
        match reader.poll(SECOND).expect("polls") {
            Polled::Rows(rows) => {
                assert!(rows.num_rows() as i64 <= step_ms / 100 + 1, "not faster than the rate");
                let i = rows.column(0);
                assert!((0..i.len()).all(|r| i.is_null(r) || i.as_primitive::<Int32Type>().value(r).abs() <= 3));
                lines.write(&ChangeBatch::inserts(rows), &mut out);
                positions.push(reader.position());
            }
            Polled::Idle => {}
            Polled::End => return (out.lines().map(str::to_string).collect(), positions),
            Polled::Raw(_) | Polled::Changes(_) => panic!("generated rows need no decoding"),
        }
        clock.0.fetch_add(step_ms, Ordering::SeqCst);
    }
    panic!("no end");
}

#[test]
fn rows_are_a_function_of_their_number() {
    let (all, positions) = run(None, 100);
    assert_eq!(all.len(), 40);
    assert!(all[0].contains(", 100, 1.") && all[39].contains(", 139, 1."), "{}", all[0]);
    assert!(all.iter().any(|l| l.starts_with("+I[null, ")));
    assert!(all[3].contains("2023-11-14, 22:13:20.300, 2023-11-14T22:13:20.300,"), "{}", all[3]);
    assert_eq!(run(None, 450).0, all, "whenever it is asked");
    for at in [0, 7, 38] {
        assert_eq!(run(Some(&positions[at]), 100).0, all[at + 1..], "from {:?}", positions[at]);
    }
}

#[test]
fn wrong_options_are_named() {
    let cx = context(&Arc::new(Lines::default()));
    let cases = [
        (("rows-per-second", "0"), "option 'rows-per-second': expected at least 1, found '0'"),
        (("fields.i.min", "x"), "option 'fields.i.min': expected an integer from -2147483648 to 2147483647, found 'x'"),
        (("fields.i.max", "-2147483649"), "found '-2147483649'"),
        (("fields.i.kind", "sequence"), "option 'fields.i.start' is required"),
        (("fields.i.null-rate", "2"), "expected a number from 0 to 1, found '2'"),
        (("fields.v.length", "21"), "expected an integer from 0 to 20, found '21'"),
    ];
    for (option, expected) in cases {
        let error = Datagen.source(&table(&columns(), &[option]), &cx).err().expect(expected);
        assert!(error.message().starts_with("table 't': ") && error.message().contains(expected), "{error}");
    }
}
