//! A hundred thousand random records, many of them broken, against serde_json and Flink's conversions over its tree.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use arus_core::TypeKind;
use arus_core::connector::Format;
use arus_core::rng::Rng;
use serde_json::Value;

use super::{decode, row_type};
use crate::conformance::{Lines, context, table};
use crate::format::json::{Json, raw_records};

const CASES: usize = 100_000;
const BATCH: usize = 250;

/// Random JSON text; now and then with a byte changed.
struct Generator(Rng);

impl Generator {
    fn pick<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        choices[self.0.below(choices.len() as u64) as usize]
    }

    fn space(&mut self) -> &'static str {
        self.pick(&["", "", "", "", "", " ", "  ", "\t", "\n", "\r\n"])
    }

    fn number(&mut self) -> String {
        match self.0.below(8) {
            0 => self
                .pick(&[
                    "0",
                    "-0",
                    "9223372036854775807",
                    "-9223372036854775808",
                    "9223372036854775808",
                    "1e308",
                    "-1.5e-7",
                    "18446744073709551615",
                    "18446744073709551616",
                    "0.1",
                    "2.5e-324",
                    "123456789012345678901234567890",
                    "1E+2",
                    "1e-0",
                    "9007199254740993",
                    "0.000000000000000000000000000001",
                ])
                .to_string(),
            1 => format!("{}", f64::from_bits(self.0.next_u64() >> 2)),
            2 => format!("{:e}", self.0.unit_f64() * 1e6 - 5e5),
            3 => format!("{}", self.0.unit_f64() * 1e3),
            4 => self.0.next_u64().to_string(),
            _ => (self.0.below(2_000) as i64 - 1_000).to_string(),
        }
    }

    fn string(&mut self) -> String {
        let mut out = String::from("\"");
        let longest = if self.0.below(16) == 0 { 80 } else { 14 };
        for _ in 0..self.0.below(longest) {
            let piece = self.pick(&[
                "a",
                "b",
                "é",
                "😀",
                "漢",
                "\\n",
                "\\\"",
                "\\\\",
                "\\/",
                "\\u00e9",
                "\\ud83d\\ude00",
                "\\u0041",
                "\\t",
                "{",
                "}",
                ",",
                ":",
                "'",
                "7",
                " ",
                "\\u0000",
            ]);
            out.push_str(piece);
        }
        out.push('"');
        out
    }

    fn value(&mut self, depth: u32) -> String {
        match self.0.below(if depth > 3 { 7 } else { 9 }) {
            0 => "null".into(),
            1 => "true".into(),
            2 => "false".into(),
            3 | 4 => self.number(),
            5 => format!("\"{}\"", self.number()),
            6 => self.string(),
            7 => {
                let items: Vec<_> = (0..self.0.below(4)).map(|_| self.value(depth + 1)).collect();
                format!("[{}{}{}]", self.space(), items.join(self.pick(&[",", " ,", ", "])), self.space())
            }
            _ => {
                let keys = ["x", "y", "x\\u0079", "z"];
                let members: Vec<_> = (0..self.0.below(4))
                    .map(|_| {
                        format!("\"{}\"{}:{}{}", self.pick(&keys), self.space(), self.space(), self.value(depth + 1))
                    })
                    .collect();
                format!("{{{}{}{}}}", self.space(), members.join(","), self.space())
            }
        }
    }

    /// A value that mostly suits the column.
    fn suited(&mut self, key: &str) -> String {
        if self.0.below(5) == 0 {
            return self.value(0);
        }
        match key {
            "i" => (self.0.next_u64() as i64 >> self.0.below(60)).to_string(),
            "d" => self.number(),
            "b" => self.pick(&["true", "false", "null"]).to_string(),
            "l" => format!("[{}]", (0..self.0.below(4)).map(|i| i.to_string()).collect::<Vec<_>>().join(",")),
            "r" => format!("{{\"y\":{},\"x\":{}}}", self.string(), self.0.below(9)),
            "m" => format!("{{{}:\"1\",\"k\":{}}}", self.string(), self.string()),
            _ => self.string(),
        }
    }

    /// A record of these columns and two more in this order, mostly in the form that writers use.
    fn alike(&mut self, columns: &[(&str, arus_core::LogicalType)], order: &[usize]) -> Vec<u8> {
        let odd = self.0.below(12) == 0;
        let time = |random: &mut Rng, zone: &str| {
            let fraction = ["", "", ".5", ".123", ".123", ".123", ".000001", ".123456789"][random.below(8) as usize];
            let hour = if random.below(50) == 0 { 24 } else { 10 + random.below(14) };
            format!(
                "\"2024-02-29 {hour:02}:{:02}:{:02}{fraction}{zone}\"",
                58 + random.below(2),
                random.below(61).min(random.below(70))
            )
        };
        let mut members = vec![];
        for at in order {
            let name = columns.get(*at).map_or(["other", "more"][*at % 2], |c| c.0);
            let value = match name {
                _ if odd && self.0.below(10) == 0 => self.value(0),
                "number" | "other" => (self.0.below(1 << 33) >> self.0.below(33).max(1)).to_string(),
                "i" => (self.0.next_u64() as i64 >> self.0.below(63)).to_string(),
                "at" | "second" | "nanos" => time(&mut self.0, ""),
                "zone" => time(&mut self.0, "Z"),
                "r" => {
                    format!("{{\"x\":{},\"y\":\"{}\"}}", self.0.below(1 << 20), "y".repeat(self.0.below(20) as usize))
                }
                "b" => self.pick(&["true", "false", "null"]).to_string(),
                _ if self.0.below(9) == 0 => self.string(),
                _ => format!("\"{}\"", "abcdefghijklmnopqrstuvwxyz".repeat(3)[..self.0.below(78) as usize].to_owned()),
            };
            members.push(format!("\"{name}\":{value}"));
        }
        if odd && self.0.below(3) == 0 {
            members.remove(self.0.below(members.len() as u64) as usize);
        }
        let mut bytes = format!("{{{}}}", members.join(if odd { " , " } else { "," })).into_bytes();
        if odd && self.0.below(3) == 0 {
            let at = self.0.below(bytes.len() as u64) as usize;
            bytes[at] = b"{}[],:\"\\0-.e1tn "[self.0.below(16) as usize];
        }
        bytes
    }

    /// A record, and whether a key comes twice in it.
    fn record(&mut self) -> (Vec<u8>, bool) {
        let mut keys = vec!["i", "d", "s", "b", "l", "r", "m", "other", "i2"];
        let columns = keys.len();
        match self.0.below(4) {
            0 => {
                for i in (1..keys.len()).rev() {
                    keys.swap(i, self.0.below(i as u64 + 1) as usize);
                }
            }
            1 => {
                keys.remove(self.0.below(keys.len() as u64) as usize);
            }
            2 => keys.push(self.pick(&["i", "s", "l", "m", "r", "\\u0069"])),
            _ => {}
        }
        let twice = keys.len() > columns;
        let spaced = self.0.below(8) == 0;
        let members: Vec<_> = keys
            .into_iter()
            .map(|key| {
                let (before, after) = if spaced { (self.space(), self.space()) } else { ("", "") };
                format!("{before}\"{key}\"{after}:{before}{}{after}", self.suited(key))
            })
            .collect();
        let mut bytes = format!("{{{}}}", members.join(",")).into_bytes();
        if self.0.below(10) == 0 {
            let at = self.0.below(bytes.len() as u64) as usize;
            match self.0.below(3) {
                0 => bytes.truncate(at),
                1 => bytes[at] = b"{}[],:\"\\0-.e1tn \xC3"[self.0.below(17) as usize],
                _ => {
                    bytes.remove(at);
                }
            }
        }
        (bytes, twice)
    }
}

/// Flink's conversions over serde_json's tree, apart from the decoder's own code. `Err`: the value is refused.
mod expected {
    use serde_json::Value;

    fn trimmed(text: &str) -> &str {
        text.trim_matches(|c| c <= ' ')
    }

    pub(super) fn bigint(value: &Value) -> Result<Option<i64>, ()> {
        match value {
            Value::Null => Ok(None),
            Value::Number(n) => match (n.as_i64(), n.as_u64(), n.as_f64()) {
                (Some(i), ..) => Ok(Some(i)),
                (None, Some(_), _) => Err(()),
                (None, None, Some(f)) if f.abs() <= 9.223_372_036_854_776e18 => Ok(Some(f as i64)),
                _ => Err(()),
            },
            Value::String(s) => trimmed(s).parse().map(Some).map_err(|_| ()),
            _ => Err(()),
        }
    }

    pub(super) fn double(value: &Value) -> Result<Option<f64>, ()> {
        match value {
            Value::Null => Ok(None),
            Value::Number(n) => Ok(n.as_f64()),
            Value::String(s) => arus_core::text::parse_double(s).map(Some).ok_or(()),
            _ => Err(()),
        }
    }

    pub(super) fn boolean(value: &Value) -> Option<bool> {
        match value {
            Value::Null => None,
            Value::Bool(b) => Some(*b),
            Value::String(s) => Some(trimmed(s).eq_ignore_ascii_case("true")),
            _ => Some(false),
        }
    }
}

/// `found` is the STRING made of `value`; containers are compared as what they say.
fn assert_string(found: Option<&str>, value: &Value, context: &str) {
    match (value, found) {
        (Value::Null, None) => {}
        (Value::String(s), Some(found)) => assert_eq!(found, s, "{context}"),
        (_, Some(found)) => {
            let again: Value = serde_json::from_str(found).unwrap_or_else(|e| panic!("{context}: {found}: {e}"));
            assert!(alike(&again, value), "{context}: {found}");
        }
        _ => panic!("{context}: found {found:?} for {value}"),
    }
}

/// Equal but for the last bits of doubles: serde_json rounds by its own fast way.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => close(x.as_f64(), y.as_f64()),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| alike(x, y)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(k, v)| y.get(k).is_some_and(|w| alike(v, w)))
        }
        _ => a == b,
    }
}

fn close(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b || (a - b).abs() <= a.abs().max(b.abs()) * 1e-15,
        (None, None) => true,
        _ => false,
    }
}

fn member<'v>(record: &'v Value, key: &str) -> &'v Value {
    record.get(key).unwrap_or(&Value::Null)
}

/// Whether Flink's rules take the record; the columns are then compared.
fn accepts(record: &Value) -> bool {
    let list = match member(record, "l") {
        Value::Null => true,
        Value::Array(items) => items.iter().all(|i| expected::bigint(i).is_ok()),
        _ => false,
    };
    let row = match member(record, "r") {
        Value::Null => true,
        Value::Object(fields) => fields.get("x").is_none_or(|x| expected::bigint(x).is_ok()),
        _ => false,
    };
    let map = matches!(member(record, "m"), Value::Null | Value::Object(_));
    expected::bigint(member(record, "i")).is_ok() && expected::double(member(record, "d")).is_ok() && list && row && map
}

fn assert_row(rows: &RecordBatch, row: usize, record: &Value, context: &str) {
    let text =
        |array: &dyn Array, row: usize| array.is_valid(row).then(|| array.as_string_view().value(row).to_string());
    let bigint = |array: &dyn Array, row: usize, value: &Value| {
        let found = array.is_valid(row).then(|| array.as_primitive::<Int64Type>().value(row));
        let wanted = expected::bigint(value).expect("accepted");
        assert!(close(found.map(|f| f as f64), wanted.map(|w| w as f64)), "{context}: {found:?} {wanted:?}");
        if value.is_i64() {
            assert_eq!(found, wanted, "{context}");
        }
    };
    bigint(rows.column(0), row, member(record, "i"));
    let double = rows.column(1);
    let found = double.is_valid(row).then(|| double.as_primitive::<Float64Type>().value(row));
    let wanted = expected::double(member(record, "d")).expect("accepted");
    assert!(close(found, wanted), "{context}: {found:?} {wanted:?}");
    assert_string(text(rows.column(2), row).as_deref(), member(record, "s"), context);
    let boolean = rows.column(3);
    let found = boolean.is_valid(row).then(|| boolean.as_boolean().value(row));
    assert_eq!(found, expected::boolean(member(record, "b")), "{context}");
    match member(record, "l") {
        Value::Array(items) => {
            let list = rows.column(4).as_list::<i32>().value(row);
            assert_eq!(list.len(), items.len(), "{context}");
            items.iter().enumerate().for_each(|(i, item)| bigint(&list, i, item));
        }
        _ => assert!(rows.column(4).is_null(row), "{context}"),
    }
    let fields = rows.column(5).as_struct();
    match member(record, "r") {
        Value::Null => assert!(fields.is_null(row), "{context}"),
        nested => {
            bigint(fields.column(0), row, member(nested, "x"));
            assert_string(text(fields.column(1), row).as_deref(), member(nested, "y"), context);
        }
    }
    match member(record, "m") {
        Value::Object(members) => {
            let entries = rows.column(6).as_list::<i32>().value(row);
            let entries = entries.as_struct();
            assert_eq!(entries.len(), members.len(), "{context}");
            for i in 0..entries.len() {
                let key = text(entries.column(0), i).expect("a key");
                assert_string(text(entries.column(1), i).as_deref(), &members[&key], context);
            }
        }
        _ => assert!(rows.column(6).is_null(row), "{context}"),
    }
}

#[test]
fn random_records_are_read_as_serde_reads_them() {
    let strings = || TypeKind::STRING.nullable();
    let columns = [
        ("i", TypeKind::BigInt.nullable()),
        ("d", TypeKind::Double.nullable()),
        ("s", strings()),
        ("b", TypeKind::Boolean.nullable()),
        ("l", TypeKind::Array(Box::new(TypeKind::BigInt.nullable())).nullable()),
        ("r", row_type(&[("x", TypeKind::BigInt), ("y", TypeKind::STRING)]).nullable()),
        ("m", TypeKind::Map(Box::new(strings()), Box::new(strings())).nullable()),
    ];
    let table = table(&columns, &[]);
    let cx = context(&Arc::new(Lines::default()));
    let mut decoder = Json.decoder(&table, &table.physical_schema(), &cx).expect("a decoder");
    let mut generator = Generator(Rng::seeded(20_261_121));
    let (mut taken, mut broken, mut refused) = (0, 0, 0);
    for _ in 0..CASES / BATCH {
        let records: Vec<(Vec<u8>, bool)> = (0..BATCH).map(|_| generator.record()).collect();
        let slices: Vec<&[u8]> = records.iter().map(|r| r.0.as_slice()).collect();
        let decoded = decoder.decode(&raw_records(&slices)).expect("never a failed batch");
        let mut rows = decoded.records.iter().enumerate().peekable();
        let mut rejects = decoded.rejected.iter().peekable();
        for (index, (bytes, twice)) in records.iter().enumerate() {
            let shown = String::from_utf8_lossy(bytes).into_owned();
            let reject = rejects.next_if(|r| r.record as usize == index);
            match serde_json::from_slice::<Value>(bytes) {
                // The first of two equal keys is converted too; a tree has forgotten it.
                Ok(_) if *twice && reject.is_some_and(|r| !r.reason.contains("invalid JSON")) => {}
                Ok(_) if reject.is_some_and(|r| r.reason.starts_with("field 'r.x'")) => {}
                Ok(record) if record.is_object() && accepts(&record) => {
                    assert!(reject.is_none(), "{shown}: {reject:?}");
                    let (row, _) = rows.next_if(|(_, r)| **r as usize == index).unwrap_or_else(|| panic!("{shown}"));
                    assert_row(&decoded.rows, row, &record, &shown);
                    taken += 1;
                }
                Ok(_) => {
                    assert!(reject.is_some(), "{shown} was taken");
                    refused += 1;
                }
                // Raw control characters and lone surrogates are no JSON for serde_json, but for Jackson as Flink sets it.
                Err(error)
                    if ["control character", "hex escape", "surrogate"]
                        .iter()
                        .any(|w| error.to_string().contains(w)) =>
                {
                    rows.next_if(|(_, r)| **r as usize == index);
                }
                Err(_) if bytes.is_empty() => {}
                Err(error) => {
                    assert!(reject.is_some(), "{shown} was taken: {error}");
                    broken += 1;
                }
            }
        }
        assert!(rows.next().is_none() && rejects.next().is_none());
    }
    assert!(taken > CASES / 3 && broken > CASES / 50 && refused > CASES / 50, "{taken} {broken} {refused}");
}

/// Records with the same keys in the same order, then in another, now and then one that is otherwise or broken: one
/// batch, in which the decoder learns and guesses, gives what as many decoders of one record give.
#[test]
fn guesses_change_nothing() {
    let time = |precision| TypeKind::Timestamp { precision, attribute: arus_core::TimeAttribute::None }.nullable();
    let zoned = TypeKind::TimestampLtz { precision: 3, attribute: arus_core::TimeAttribute::None }.nullable();
    let columns = [
        ("number", TypeKind::Int.nullable()),
        ("i", TypeKind::BigInt.nullable()),
        ("a rather long name", TypeKind::STRING.nullable()),
        ("s", TypeKind::STRING.nullable()),
        ("at", time(3)),
        ("second", time(0)),
        ("nanos", time(9)),
        ("zone", zoned),
        ("r", row_type(&[("x", TypeKind::BigInt), ("y", TypeKind::STRING)]).nullable()),
        ("b", TypeKind::Boolean.nullable()),
    ];
    for options in [[].as_slice(), &[("json.ignore-parse-errors", "true")], &[("json.fail-on-missing-field", "true")]] {
        let mut random = Generator(Rng::seeded(77));
        let mut order: Vec<usize> = (0..columns.len() + 2).collect();
        let (mut taken, mut refused) = (0, 0);
        for _ in 0..40 {
            let mut records: Vec<Vec<u8>> = vec![];
            for _ in 0..100 {
                if random.0.below(30) == 0 {
                    (1..order.len()).for_each(|i| order.swap(i, random.0.below(i as u64 + 1) as usize));
                }
                records.push(random.alike(&columns, &order));
            }
            let texts: Vec<String> = records.iter().map(|r| String::from_utf8_lossy(r).into_owned()).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let all = decode(&columns, options, &texts);
            let (mut row, mut rejects) = (0, all.rejected.iter().peekable());
            for (index, text) in texts.iter().enumerate() {
                let one = decode(&columns, options, &[text]);
                let rows = all.records.iter().filter(|r| **r as usize == index).count();
                assert_eq!(all.rows.slice(row, rows), one.rows, "{text}");
                row += rows;
                let reject = rejects.next_if(|r| r.record as usize == index).map(|r| &r.reason);
                assert_eq!(reject, one.rejected.first().map(|r| &r.reason), "{text}");
                taken += rows;
                refused += usize::from(reject.is_some());
            }
        }
        let lenient = options.first().is_some_and(|o| o.0 == "json.ignore-parse-errors");
        assert!(taken > 2_000 && (lenient || refused > 100), "{taken} {refused}");
    }
}

#[test]
fn numbers_are_exact() {
    let columns = [
        ("d", TypeKind::Double.nullable()),
        ("f", TypeKind::Float.nullable()),
        ("n", TypeKind::Decimal { precision: 38, scale: 10 }.nullable()),
    ];
    let mut generator = Generator(Rng::seeded(5));
    let mut texts: Vec<String> = (0..20_000).map(|_| generator.number()).collect();
    texts.extend((0..5_000).map(|_| {
        format!("{:e}", f64::from_bits(generator.0.next_u64() & !(0x7FF << 52) | (generator.0.below(2046) << 52)))
    }));
    let records: Vec<String> = texts.iter().map(|t| format!("{{\"d\":{t},\"f\":{t},\"n\":{t}}}")).collect();
    let decoded = decode(&columns, &[], &records.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(decoded.rejected.is_empty(), "{:?}", decoded.rejected.first());
    let doubles = decoded.rows.column(0).as_primitive::<Float64Type>();
    let floats = decoded.rows.column(1).as_primitive::<arrow::datatypes::Float32Type>();
    let decimals = decoded.rows.column(2).as_primitive::<arrow::datatypes::Decimal128Type>();
    for (i, text) in texts.iter().enumerate() {
        assert_eq!(doubles.value(i).to_bits(), text.parse::<f64>().expect(text).to_bits(), "{text}");
        assert_eq!(floats.value(i).to_bits(), text.parse::<f32>().expect(text).to_bits(), "{text}");
        let wanted = arus_core::text::parse_decimal(text, 38, 10);
        assert_eq!(decimals.is_valid(i).then(|| decimals.value(i)), wanted, "{text}");
    }
}
