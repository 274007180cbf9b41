//! Tables and what is in them.

use arus_core::rng::Rng;
use arus_core::{RowKind, TimeAttribute, TypeKind};

use super::{chance, pick};
use crate::reference::{Change, Value};

#[derive(Debug, Clone)]
pub struct Table {
    pub name: String,
    pub ddl: String,
    /// The physical columns.
    pub columns: Vec<(String, TypeKind)>,
    /// The time column, if there is a watermark.
    pub time: Option<String>,
    /// Whether it has inserts only.
    pub appended: bool,
    pub changes: Vec<Change>,
}

/// What a table's source gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    Rows,
    /// Every kind of change, without a key.
    Changes,
    /// Every kind of change, by a primary key.
    Updates,
    /// The new row of a primary key, or its deletion.
    Upserts,
}

impl Input {
    fn has_key(self) -> bool {
        matches!(self, Input::Updates | Input::Upserts)
    }
}

/// Times are around 100 s after 1970, so that watermarks are above 0.
const START_MS: i64 = 100_000;

pub(super) const TIME: TypeKind = TypeKind::Timestamp { precision: 3, attribute: TimeAttribute::None };

pub(super) fn table(rng: &mut Rng, name: &str) -> Table {
    let mut columns = vec![("k".to_string(), TypeKind::Int), ("s".to_string(), TypeKind::STRING)];
    for i in 0..1 + rng.below(4) {
        let (letter, kind) = match rng.below(9) {
            0 => ("b", TypeKind::Boolean),
            1 => ("i", TypeKind::TinyInt),
            2 => ("i", TypeKind::SmallInt),
            3 => ("i", TypeKind::Int),
            4 => ("i", TypeKind::BigInt),
            5 => ("x", TypeKind::Double),
            6 => ("s", TypeKind::STRING),
            _ => {
                let scale = rng.below(4) as u8;
                ("d", TypeKind::Decimal { precision: scale + 3 + rng.below(6) as u8, scale })
            }
        };
        columns.push((format!("{letter}{i}"), kind));
    }
    let input = match rng.below(10) {
        0 => Input::Changes,
        1 => Input::Updates,
        2 => Input::Upserts,
        _ => Input::Rows,
    };
    let mut parts: Vec<String> = columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
    let mut time = None;
    if chance(rng, 75) {
        columns.push(("ts".to_string(), TIME));
        parts.push("ts TIMESTAMP(3)".to_string());
        time = Some("ts".to_string());
    }
    if chance(rng, 30) {
        parts.push("computed AS k * 2 + 1".to_string());
    }
    if time.is_some() {
        parts.push(format!("WATERMARK FOR ts AS ts - INTERVAL '{}' SECOND", pick(rng, &[0, 0, 1, 2, 5, 9])));
    }
    if input.has_key() {
        parts[0] = "k INT NOT NULL".to_string();
        parts.push("PRIMARY KEY (k) NOT ENFORCED".to_string());
    }
    let format = match input {
        Input::Rows => "rows",
        Input::Changes | Input::Updates => "changes",
        Input::Upserts => "upserts",
    };
    let ddl = format!(
        "CREATE TABLE {name} (\n  {}\n) WITH ('connector' = 'testkit', 'format' = '{format}')",
        parts.join(",\n  ")
    );
    let changes = changes(rng, &columns, input);
    Table { name: name.to_string(), ddl, columns, time, appended: input == Input::Rows, changes }
}

fn changes(rng: &mut Rng, columns: &[(String, TypeKind)], input: Input) -> Vec<Change> {
    let count = *pick(rng, &[0, 1, 3, 8, 12, 20, 30, 40]);
    let mut now = START_MS;
    let mut live: Vec<Vec<Value>> = vec![];
    let mut changes = vec![];
    while changes.len() < count {
        now += rng.below(4) as i64 * 1_000 + if chance(rng, 10) { 10_000 } else { 0 };
        let mut new: Vec<Value> = columns.iter().map(|(_, kind)| value(rng, kind, now)).collect();
        let mut old = None;
        if input.has_key() {
            new[0] = Value::Integer(rng.below(7) as i64);
            old = live.iter().position(|row| row[0].same(&new[0]));
        } else if input == Input::Changes && !live.is_empty() && chance(rng, 50) {
            old = Some(rng.below(live.len() as u64) as usize);
        }
        let Some(at) = old else {
            live.push(new.clone());
            changes.push(Change { kind: RowKind::Insert, values: new });
            continue;
        };
        let old = live.swap_remove(at);
        if chance(rng, 35) {
            changes.push(Change { kind: RowKind::Delete, values: old });
            continue;
        }
        live.push(new.clone());
        if input != Input::Upserts {
            changes.push(Change { kind: RowKind::UpdateBefore, values: old });
        }
        changes.push(Change { kind: RowKind::UpdateAfter, values: new });
    }
    changes
}

const STRINGS: [&str; 11] = ["", "a", "b", "ab", "Ab", " a b ", "1", "-2", "x%", "é", "😀"];

fn value(rng: &mut Rng, kind: &TypeKind, now: i64) -> Value {
    if matches!(kind, TypeKind::Timestamp { .. }) {
        // Up to 12 s out of order; the last millisecond before a full second meets the ends of windows.
        let behind = if chance(rng, 30) { rng.below(12) as i64 * 1_000 } else { 0 };
        return Value::Timestamp(now - behind - i64::from(chance(rng, 20)));
    }
    if chance(rng, 20) {
        return Value::Null;
    }
    let small = rng.below(6) as i64 - 2;
    let limit = |rng: &mut Rng, least: i64, most: i64| {
        if chance(rng, 4) { Value::Integer(*pick(rng, &[least, most])) } else { Value::Integer(small) }
    };
    match kind {
        TypeKind::Boolean => Value::Boolean(chance(rng, 50)),
        TypeKind::TinyInt => limit(rng, i8::MIN.into(), i8::MAX.into()),
        TypeKind::SmallInt => limit(rng, i16::MIN.into(), i16::MAX.into()),
        TypeKind::Int => limit(rng, i32::MIN.into(), i32::MAX.into()),
        TypeKind::BigInt => limit(rng, i64::MIN, i64::MAX),
        TypeKind::Double => Value::Double(small as f64 / 2.0),
        TypeKind::Decimal { .. } => Value::Decimal(i128::from(rng.below(7)) * 50 - 150),
        _ => Value::String(pick(rng, &STRINGS).to_string()),
    }
}
