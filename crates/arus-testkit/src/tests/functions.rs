//! Every function by its signatures, and every cast, with random arguments: a batch gives what its rows give alone, and a
//! slice what its copy gives. The result has the type that was promised, and no NULL where it is NOT NULL.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat, take};
use arrow::datatypes::{Field, Schema};
use arus_core::expr::Expr;
use arus_core::function::{Argument, FunctionCatalog};
use arus_core::rng::Rng;
use arus_core::types::RowField;
use arus_core::{Datum, ErrorKind, LogicalType, TimeAttribute, TypeKind};
use arus_expr::{EvalContext, Evaluated, Functions, Program, array_to_datum, datum_to_array};

use super::number;

const ROWS: usize = 13;

fn kinds() -> Vec<TypeKind> {
    use TypeKind as K;
    let timestamp = |precision| K::Timestamp { precision, attribute: TimeAttribute::None };
    let instant = |precision| K::TimestampLtz { precision, attribute: TimeAttribute::None };
    let field = |name: &str, kind: TypeKind| RowField { name: name.into(), ty: kind.nullable(), comment: None };
    vec![
        K::STRING,
        K::Int,
        K::BigInt,
        K::Double,
        K::Decimal { precision: 10, scale: 2 },
        K::Boolean,
        timestamp(3),
        K::Date,
        K::Char(3),
        K::Varchar(5),
        K::BYTES,
        K::TinyInt,
        K::SmallInt,
        K::Float,
        K::Decimal { precision: 38, scale: 10 },
        K::Time(0),
        timestamp(6),
        instant(3),
        instant(6),
        K::IntervalYearMonth,
        K::IntervalDayTime,
        K::Array(Box::new(K::Int.nullable())),
        K::Array(Box::new(K::STRING.nullable())),
        K::Map(Box::new(K::STRING.nullable()), Box::new(K::Int.nullable())),
        K::Row(vec![field("a", K::Int), field("b", K::STRING)]),
    ]
}

const TEXTS: [&str; 30] = [
    "",
    "a",
    "ab",
    "a,b;c",
    "é😀",
    " x ",
    "12",
    "-1.5",
    "1e3",
    "true",
    "2024-02-29 12:34:56.789",
    "2024-02-29",
    "12:34:56",
    "{\"a\": 1, \"b\": [1, null]}",
    "[1, \"x\"]",
    "$.a",
    "lax $.b[0]",
    "UTC",
    "Europe/Berlin",
    "yyyy-MM-dd",
    "yyyy-MM-dd HH:mm:ss",
    "[a-z]+",
    "(a)(b)?",
    "%a_",
    "http://u:p@h.de/a?b=c#d",
    "HOST",
    "00ff",
    "YWI=",
    "k=v,x=y",
    "a\\b",
];

/// Words that functions want as literals.
const WORDS: [&str; 20] = [
    "YEAR",
    "MONTH",
    "DAY",
    "HOUR",
    "MINUTE",
    "SECOND",
    "WEEK",
    "QUARTER",
    "BOTH",
    "LEADING",
    "TRAILING",
    "HOST",
    "a",
    "%a",
    ",",
    "yyyy-MM-dd",
    "UTF-8",
    "$.a",
    "[a-z]",
    "UTC",
];

fn pick<'a, T>(rng: &mut Rng, of: &'a [T]) -> &'a T {
    &of[rng.below(of.len() as u64) as usize]
}

fn whole_number(rng: &mut Rng, least: i64, most: i64, wide: bool) -> i64 {
    if wide && rng.below(4) == 0 { *pick(rng, &[least, most, 0, most / 2]) } else { rng.below(13) as i64 - 4 }
}

/// `wide`: with the limits of the range, which as a length would fill the memory.
fn datum(rng: &mut Rng, kind: &TypeKind, wide: bool) -> Datum {
    let doubles = [0.0, -0.0, 1.5, -2.25, 1e23, 1e-9, f64::NAN, f64::INFINITY, f64::MAX];
    match kind {
        TypeKind::Boolean => Datum::Boolean(rng.below(2) == 0),
        TypeKind::TinyInt => Datum::TinyInt(whole_number(rng, i8::MIN.into(), i8::MAX.into(), wide) as i8),
        TypeKind::SmallInt => Datum::SmallInt(whole_number(rng, i16::MIN.into(), i16::MAX.into(), wide) as i16),
        TypeKind::Int => Datum::Int(whole_number(rng, i32::MIN.into(), i32::MAX.into(), wide) as i32),
        TypeKind::BigInt => Datum::BigInt(whole_number(rng, i64::MIN, i64::MAX, wide)),
        TypeKind::Float => Datum::Float(*pick(rng, &doubles) as f32),
        TypeKind::Double => Datum::Double(*pick(rng, &doubles)),
        TypeKind::Decimal { precision, .. } => {
            let most = 10_i128.pow((*precision).into()) - 1;
            let small = i128::from(rng.below(2_000)) - 1_000;
            Datum::Decimal(if wide && rng.below(5) == 0 { *pick(rng, &[most, -most, 0]) } else { small })
        }
        TypeKind::Char(n) => {
            let mut text: Vec<char> = pick(rng, &TEXTS).chars().take(*n as usize).collect();
            text.resize(*n as usize, ' ');
            Datum::String(text.into_iter().collect())
        }
        TypeKind::Varchar(n) => Datum::String(pick(rng, &TEXTS).chars().take(*n as usize).collect()),
        TypeKind::Varbinary(_) => Datum::Bytes(pick(rng, &TEXTS).as_bytes().to_vec()),
        TypeKind::Date => Datum::Date(*pick(rng, &[0, -1, 19_782, 19_813, -141_428, 2_932_896])),
        TypeKind::Time(_) => Datum::Time(*pick(rng, &[0, 1_000, 45_296_000, 86_399_000])),
        TypeKind::Timestamp { precision, .. } | TypeKind::TimestampLtz { precision, .. } => {
            let ms = *pick(rng, &[0, -1, 1_709_210_096_789, 1_711_846_800_000, 1_729_992_600_000, 253_402_300_799_999]);
            Datum::Timestamp(ms * if *precision > 3 { 1_000 } else { 1 })
        }
        TypeKind::IntervalYearMonth => Datum::IntervalMonths(rng.below(30) as i32 - 10),
        TypeKind::IntervalDayTime => Datum::IntervalMillis(*pick(rng, &[0, 1, -1_000, 3_600_000, 90_061_001])),
        TypeKind::Array(element) => {
            Datum::Array((0..rng.below(4)).map(|_| nullable(rng, &element.kind, wide)).collect())
        }
        TypeKind::Map(key, value) => {
            let mut entries: Vec<(Datum, Datum)> = vec![];
            for _ in 0..rng.below(3) {
                let key = datum(rng, &key.kind, wide);
                if !entries.iter().any(|(k, _)| *k == key) {
                    entries.push((key, nullable(rng, &value.kind, wide)));
                }
            }
            Datum::Map(entries)
        }
        TypeKind::Row(fields) => Datum::Row(fields.iter().map(|f| nullable(rng, &f.ty.kind, wide)).collect()),
        other => panic!("no value of {other}"),
    }
}

fn nullable(rng: &mut Rng, kind: &TypeKind, wide: bool) -> Datum {
    if rng.below(5) == 0 { Datum::Null } else { datum(rng, kind, wide) }
}

fn batch(columns: Vec<ArrayRef>, rows: usize) -> RecordBatch {
    let fields: Vec<Field> =
        columns.iter().enumerate().map(|(i, c)| Field::new(format!("c{i}"), c.data_type().clone(), true)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).expect("columns of one length")
}

/// What one row gives: its value or why it failed.
fn outcome(evaluated: &Evaluated, row: usize, ty: &LogicalType) -> String {
    match evaluated.failed.iter().find(|f| f.row as usize == row) {
        Some(failed) => format!("failed: {}", failed.reason),
        None => format!("{:?}", array_to_datum(&evaluated.columns[0], row, ty).expect("a value of its type")),
    }
}

/// Runs one expression in every way; whether it compiles.
fn check(rng: &mut Rng, expr: &Expr, types: &[LogicalType], wide: bool) -> bool {
    let program = match Program::compile(std::slice::from_ref(expr), "Europe/Berlin") {
        Ok(program) => program,
        Err(e) => {
            assert!(e.kind() != ErrorKind::Bug, "{expr:?}: {e}");
            return false;
        }
    };
    let columns: Vec<ArrayRef> = types
        .iter()
        .map(|ty| {
            let rows: Vec<ArrayRef> = (0..ROWS)
                .map(|_| {
                    let value = if ty.nullable { nullable(rng, &ty.kind, wide) } else { datum(rng, &ty.kind, wide) };
                    datum_to_array(&value, ty).expect("an array of the type")
                })
                .collect();
            concat(&rows.iter().map(|a| a.as_ref()).collect::<Vec<_>>()).expect("arrays of one type")
        })
        .collect();
    let cx = EvalContext { now_ms: 1_709_210_096_789, watermark: Some(5), seed: 0 };
    let run = |batch: &RecordBatch| program.run(batch, &cx).unwrap_or_else(|e| panic!("{expr:?}: {e}"));
    let ty = expr.ty();
    let whole = batch(columns.clone(), ROWS);
    let together = run(&whole);
    assert_eq!(together.columns[0].data_type(), &ty.to_arrow(), "{expr:?}");
    assert_eq!(together.columns[0].len(), ROWS, "{expr:?}");
    let given = |row: usize| {
        let values = columns.iter().zip(types).map(|(c, ty)| array_to_datum(c, row, ty).expect("a value"));
        format!("{expr:?} of {:?}", values.collect::<Vec<_>>())
    };
    for row in 0..ROWS {
        let expected = outcome(&together, row, &ty);
        // A DECIMAL beyond its precision is NULL, whatever the type says: as in Flink.
        let may_be_null = ty.nullable || matches!(ty.kind, TypeKind::Decimal { .. });
        assert!(may_be_null || expected != "Null", "NULL of {ty}: {}", given(row));
        assert_eq!(expected, outcome(&run(&whole.slice(row, 1)), 0, &ty), "alone: {}", given(row));
    }
    let (from, length) = (3, 7);
    let indices = UInt32Array::from_iter_values(from as u32..(from + length) as u32);
    let copied = columns.iter().map(|c| take(c, &indices, None).expect("rows")).collect();
    let (slice, copy) = (run(&whole.slice(from, length)), run(&batch(copied, length)));
    for row in 0..length {
        let expected = outcome(&together, from + row, &ty);
        assert_eq!(expected, outcome(&slice, row, &ty), "sliced: {}", given(from + row));
        assert_eq!(expected, outcome(&copy, row, &ty), "copied: {}", given(from + row));
    }
    true
}

/// Arguments that the function may take: types, and literals where it wants words.
fn arguments(rng: &mut Rng, kinds: &[TypeKind], count: usize) -> Vec<Argument> {
    (0..count)
        .map(|place| match rng.below(if place == 0 { 3 } else { 6 }) {
            0 => {
                let word = *pick(rng, &WORDS);
                let ty = TypeKind::Char(word.chars().count() as u32).not_null();
                Argument { ty, literal: Some(Datum::String(word.to_string())) }
            }
            1 if place > 0 => {
                let value = rng.below(5) as i32;
                Argument { ty: TypeKind::Int.not_null(), literal: Some(Datum::Int(value)) }
            }
            _ => {
                // The types that most functions take stand first.
                let most = if rng.below(2) == 0 { 8 } else { kinds.len() };
                let ty = pick(rng, &kinds[..most]).clone().nullable().with_nullable(rng.below(4) > 0);
                Argument { ty, literal: None }
            }
        })
        .collect()
}

/// Signatures of a function that are looked for, and tries to find them.
const SIGNATURES: usize = 8;
const TRIES: usize = 12_000;

#[test]
fn functions_give_the_same_for_a_batch_and_for_its_rows() {
    let mut rng = Rng::seeded(number("ARUS_SEED", 7));
    let kinds = kinds();
    let mut found: BTreeMap<&'static str, usize> = BTreeMap::new();
    for name in Functions.names() {
        if Functions.resolve_aggregate(name, &[]).is_some() {
            continue;
        }
        let signatures = found.entry(name).or_default();
        for attempt in 0..TRIES {
            if *signatures == SIGNATURES {
                break;
            }
            let given = arguments(&mut rng, &kinds, attempt % 5);
            let Ok(call) = Functions.resolve(name, &given) else { continue };
            if !call.deterministic {
                *signatures = SIGNATURES;
                break;
            }
            let mut types = vec![];
            let args = given
                .iter()
                .zip(&call.arg_types)
                .map(|(given, wanted)| match &given.literal {
                    Some(value) if given.ty.kind == wanted.kind => Expr::literal(value.clone(), wanted.clone()),
                    _ => {
                        types.push(given.ty.clone());
                        let column = Expr::column(types.len() - 1, given.ty.clone());
                        let ty = wanted.clone().with_nullable(given.ty.nullable);
                        if given.ty.kind == wanted.kind {
                            column
                        } else {
                            Expr::Cast { input: Box::new(column), ty, safe: false }
                        }
                    }
                })
                .collect();
            let lengths = matches!(
                call.return_type.kind,
                TypeKind::Char(_)
                    | TypeKind::Varchar(_)
                    | TypeKind::Varbinary(_)
                    | TypeKind::Array(_)
                    | TypeKind::Map(..)
            );
            let expr = Expr::call(call.function, args, call.return_type);
            *signatures += usize::from(check(&mut rng, &expr, &types, !lengths));
        }
    }
    let missed: Vec<_> = found.iter().filter(|(_, n)| **n == 0).map(|(name, _)| *name).collect();
    println!("{} functions; without any signature found: {missed:?}", found.len());
    assert!(missed.len() * 20 <= found.len(), "no signature found: {missed:?}");
}

#[test]
fn casts_give_the_same_for_a_batch_and_for_its_rows() {
    let mut rng = Rng::seeded(number("ARUS_SEED", 7));
    let kinds = kinds();
    for from in &kinds {
        for to in &kinds {
            let (from, to) = (from.clone().nullable(), to.clone().nullable());
            if from == to || !Functions.can_cast(&from, &to) {
                continue;
            }
            for safe in [false, true] {
                let column = Expr::column(0, from.clone());
                let expr = Expr::Cast { input: Box::new(column), ty: to.clone(), safe };
                check(&mut rng, &expr, std::slice::from_ref(&from), true);
            }
        }
    }
}
