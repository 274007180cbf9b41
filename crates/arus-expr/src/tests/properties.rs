//! What holds for every function of the catalog, over calls that are made from its own signature: a NOT NULL result is
//! never NULL, a batch gives what its rows give one by one, and a slice what its copy gives.

use arrow::array::{Array, UInt32Array};
use arrow::compute::take;
use arus_core::rng::Rng;
use arus_core::types::RowField;

use super::*;
use crate::cast::can_cast;
use crate::functions::{FUNCTIONS, Function};
use crate::value::FailedRow;

const ROWS: usize = 16;
/// Accepted argument lists that are tried of each function.
const CALLS: usize = 12;

/// An argument: a column of a type, or a literal where the plan needs one.
#[derive(Debug, Clone)]
enum Input {
    Column(LogicalType),
    Literal(Datum, TypeKind),
}

fn row_kind() -> TypeKind {
    let field = |name: &str, kind: TypeKind| RowField { name: name.to_owned(), ty: kind.nullable(), comment: None };
    TypeKind::Row(vec![field("x", TypeKind::Int), field("y", TypeKind::STRING)])
}

fn inputs() -> Vec<Input> {
    let kinds = [
        TypeKind::Boolean,
        TypeKind::TinyInt,
        TypeKind::Int,
        TypeKind::BigInt,
        TypeKind::Float,
        TypeKind::Double,
        TypeKind::Decimal { precision: 10, scale: 2 },
        TypeKind::STRING,
        TypeKind::Varchar(7),
        TypeKind::BYTES,
        TypeKind::Date,
        TypeKind::Time(3),
        timestamp_kind(3),
        TypeKind::Timestamp { precision: 3, attribute: TimeAttribute::Rowtime },
        ltz_kind(6),
        TypeKind::IntervalDayTime,
        TypeKind::IntervalYearMonth,
        TypeKind::Array(Box::new(TypeKind::Int.nullable())),
        TypeKind::Array(Box::new(TypeKind::STRING.nullable())),
        TypeKind::Map(Box::new(TypeKind::STRING.nullable()), Box::new(TypeKind::Int.nullable())),
        row_kind(),
    ];
    let nullable = kinds.iter().cloned().map(|kind| Input::Column(kind.nullable()));
    let present = kinds.iter().cloned().map(|kind| Input::Column(kind.not_null()));
    let words = ["BOTH", "DAY", "NULL", "ERROR", "VALUE", "RAW", "WITHOUT", "yyyy", "$.a", "a+"];
    let words = words.map(|word| Input::Literal(Datum::String(word.to_owned()), TypeKind::Char(word.len() as u32)));
    let others =
        [Input::Literal(Datum::Int(1), TypeKind::Int), Input::Literal(Datum::Boolean(true), TypeKind::Boolean)];
    nullable.chain(present).chain(words).chain(others).collect()
}

fn argument(input: &Input) -> Argument {
    match input {
        Input::Column(ty) => Argument { ty: ty.clone(), literal: None },
        Input::Literal(value, kind) => Argument { ty: kind.clone().not_null(), literal: Some(value.clone()) },
    }
}

/// Argument lists that the function takes: all of up to two, and of more some at random.
fn accepted(function: &Function, rng: &mut Rng) -> Vec<Vec<Input>> {
    let pool = inputs();
    let takes = |list: &[Input]| (function.resolve)(&list.iter().map(argument).collect::<Vec<_>>()).is_some();
    let mut lists: Vec<Vec<Input>> = vec![vec![]];
    lists.extend(pool.iter().map(|a| vec![a.clone()]));
    lists.extend(pool.iter().flat_map(|a| pool.iter().map(move |b| vec![a.clone(), b.clone()])));
    lists.retain(|list| takes(list));
    for arity in 3..=6 {
        // More is tried while nothing was found.
        let tries = if lists.is_empty() { 60_000 } else { 400 };
        for _ in 0..tries {
            let list: Vec<Input> = (0..arity).map(|_| pool[rng.below(pool.len() as u64) as usize].clone()).collect();
            if lists.len() < 8 * CALLS && takes(&list) {
                lists.push(list);
            }
        }
    }
    // Some of all, in no order.
    for i in (1..lists.len()).rev() {
        lists.swap(i, rng.below(i as u64 + 1) as usize);
    }
    lists.truncate(CALLS);
    lists
}

fn pick<T: Clone>(rng: &mut Rng, values: &[T]) -> T {
    values[rng.below(values.len() as u64) as usize].clone()
}

fn value(ty: &LogicalType, rng: &mut Rng) -> Datum {
    if ty.nullable && rng.below(4) == 0 {
        return Datum::Null;
    }
    let texts = [
        "",
        "a",
        "abc",
        " pad ",
        "😀",
        "a😀b",
        "é",
        "1",
        "-1.5",
        "2024-02-29",
        "2024-02-29 12:34:56",
        "{\"a\":[1,\"x\"]}",
        "a+",
        "(",
        "k=v,w=x",
        "$.a",
        "UTC",
        "Europe/Berlin",
        "%41",
        "QUJD",
        "yyyy-MM-dd",
    ];
    let longs = [0, 1, -1, 2, 7, 1_709_210_096, i64::from(i32::MAX), i64::MIN, i64::MAX];
    let long = pick(rng, &longs);
    match &ty.kind {
        TypeKind::Boolean => Datum::Boolean(rng.below(2) == 0),
        TypeKind::TinyInt => Datum::TinyInt(long as i8),
        TypeKind::SmallInt => Datum::SmallInt(long as i16),
        TypeKind::Int => Datum::Int(pick(rng, &[0, 1, 2, -1, 3, 65, i32::MIN, i32::MAX])),
        TypeKind::BigInt => Datum::BigInt(long),
        TypeKind::Float => Datum::Float(pick(rng, &[0.0, -1.5, 2.345, f32::MAX])),
        TypeKind::Double => Datum::Double(pick(rng, &[0.0, -0.0, 1.5, -2.345, 1e300, f64::MIN_POSITIVE])),
        TypeKind::Decimal { .. } => Datum::Decimal(pick(rng, &[0, 1, -150, 123_456, 9_999_999_999])),
        TypeKind::Char(n) | TypeKind::Varchar(n) => {
            Datum::String(pick(rng, &texts).chars().take(*n as usize).collect())
        }
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => Datum::Bytes(pick(rng, &[vec![], vec![1, 2, 255], vec![97]])),
        TypeKind::Date => Datum::Date(pick(rng, &[0, -1, 19_782, 2_932_896])),
        TypeKind::Time(_) => Datum::Time(pick(rng, &[0, 45_296_789, 86_399_999])),
        TypeKind::Timestamp { .. } => Datum::Timestamp(pick(rng, &[0, -1, 1_709_210_096_789])),
        TypeKind::TimestampLtz { .. } => Datum::Timestamp(pick(rng, &[0, -1, 1_709_210_096_789_123])),
        TypeKind::IntervalDayTime => Datum::IntervalMillis(pick(rng, &[0, -1, 86_400_000])),
        TypeKind::IntervalYearMonth => Datum::IntervalMonths(pick(rng, &[0, -1, 13])),
        TypeKind::Array(element) => Datum::Array((0..rng.below(4)).map(|_| value(element, rng)).collect()),
        TypeKind::Map(key, item) => {
            let mut entries: Vec<(Datum, Datum)> =
                (0..rng.below(3)).map(|_| (value(key, rng), value(item, rng))).collect();
            entries.dedup_by(|a, b| a.0 == b.0);
            Datum::Map(entries)
        }
        TypeKind::Row(fields) => Datum::Row(fields.iter().map(|f| value(&f.ty, rng)).collect()),
        other => panic!("no values of {other}"),
    }
}

/// The call as the binder makes it, over columns; `None` when an argument has no cast.
fn bound(function: &Function, name: &str, list: &[Input], rng: &mut Rng) -> Option<(Expr, Vec<ArrayRef>)> {
    let call = (function.resolve)(&list.iter().map(argument).collect::<Vec<_>>())?;
    let mut columns = Vec::new();
    let mut args = Vec::new();
    for (input, ty) in list.iter().zip(&call.arg_types) {
        let arg = match input {
            Input::Literal(value, kind) => literal(value.clone(), kind.clone()),
            Input::Column(ty) => {
                let values: Vec<Datum> = (0..ROWS).map(|_| value(ty, rng)).collect();
                columns.push(crate::scalar::column(&values, ty).unwrap());
                Expr::column(columns.len() - 1, ty.clone())
            }
        };
        let from = arg.ty();
        args.push(match from.kind == ty.kind {
            true => arg,
            false if can_cast(&from, ty) => Expr::Cast { input: Box::new(arg), ty: ty.clone(), safe: false },
            false => return None,
        });
    }
    Some((Expr::call(function.canonical(name), args, call.return_type), columns))
}

fn show_row(result: &Evaluated, row: usize, ty: &LogicalType) -> String {
    match result.failed.iter().find(|f: &&FailedRow| f.row as usize == row) {
        Some(failed) => format!("FAILED {}", failed.reason),
        None => format!("{:?}", crate::array_to_datum(&result.columns[0], row, ty).unwrap()),
    }
}

#[test]
fn every_function_keeps_its_word() {
    let mut rng = Rng::seeded(20_261_121);
    let random = ["RAND", "RAND_INTEGER", "UUID"];
    for function in FUNCTIONS.iter().flat_map(|group| group.functions) {
        let name = function.names[0];
        let lists = accepted(function, &mut rng);
        assert!(!lists.is_empty(), "no arguments were found that {name} takes: {}", function.signature);
        for list in lists {
            let Some((expr, columns)) = bound(function, name, &list, &mut rng) else { continue };
            // A literal of the pool may be no pattern or clause of this function: then it is refused, with a reason.
            let program = match Program::compile(std::slice::from_ref(&expr), "Europe/Berlin") {
                Ok(program) => program,
                Err(error) => {
                    assert!(!error.message().is_empty());
                    continue;
                }
            };
            let ty = expr.ty();
            let whole = batch(columns.clone(), ROWS);
            let together = program.run(&whole, &CX).unwrap();
            assert_eq!(together.columns[0].data_type(), &ty.to_arrow(), "{expr:?}");
            let shown: Vec<String> = (0..ROWS).map(|row| show_row(&together, row, &ty)).collect();
            if !ty.nullable {
                assert!(shown.iter().all(|value| value != "Null"), "{name} is {ty} and gave NULL: {expr:?}\n{shown:?}");
            }
            if random.contains(&name) {
                continue;
            }
            let some = program.run(&whole.slice(5, 9), &CX).unwrap();
            for (row, expected) in shown.iter().enumerate() {
                let alone = program.run(&whole.slice(row, 1), &CX).unwrap();
                assert_eq!(&show_row(&alone, 0, &ty), expected, "row {row} alone: {expr:?}");
                let copy =
                    columns.iter().map(|c| take(c, &UInt32Array::from(vec![row as u32]), None).unwrap()).collect();
                let copied = program.run(&batch(copy, 1), &CX).unwrap();
                assert_eq!(&show_row(&copied, 0, &ty), expected, "copy of row {row}: {expr:?}");
                if (5..14).contains(&row) {
                    assert_eq!(&show_row(&some, row - 5, &ty), expected, "row {row} of a slice: {expr:?}");
                }
            }
            assert_eq!(
                program.run(&batch(columns.iter().map(|c| c.slice(0, 0)).collect(), 0), &CX).unwrap().columns[0].len(),
                0
            );
        }
    }
}
