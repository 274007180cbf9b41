//! Each function against Flink 2.3's answers, and the evaluator's own promises.

mod casts;
mod catalog;
mod evaluator;
mod numbers;
mod properties;
mod regex;
mod strings;
mod times;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat, take};
use arrow::datatypes::{Field, Schema};
use arus_core::expr::Expr;
use arus_core::function::{Argument, FunctionCatalog};
use arus_core::{Datum, LogicalType, TimeAttribute, TypeKind};

use crate::{EvalContext, Evaluated, Functions, Program};

pub(crate) const CX: EvalContext = EvalContext { now_ms: 1_709_210_096_789, watermark: Some(1_000), seed: 7 };

// ---- expressions ---------------------------------------------------------------------------------------

pub(crate) fn literal(value: Datum, kind: TypeKind) -> Expr {
    Expr::literal(value, kind.not_null())
}

pub(crate) fn null(kind: TypeKind) -> Expr {
    Expr::literal(Datum::Null, kind.nullable())
}

pub(crate) fn int(value: i32) -> Expr {
    literal(Datum::Int(value), TypeKind::Int)
}

pub(crate) fn bigint(value: i64) -> Expr {
    literal(Datum::BigInt(value), TypeKind::BigInt)
}

pub(crate) fn tinyint(value: i8) -> Expr {
    literal(Datum::TinyInt(value), TypeKind::TinyInt)
}

pub(crate) fn double(value: f64) -> Expr {
    literal(Datum::Double(value), TypeKind::Double)
}

pub(crate) fn float(value: f32) -> Expr {
    literal(Datum::Float(value), TypeKind::Float)
}

pub(crate) fn boolean(value: bool) -> Expr {
    literal(Datum::Boolean(value), TypeKind::Boolean)
}

/// `12.34` as DECIMAL(4, 2), or with a given precision.
pub(crate) fn decimal(text: &str, precision: u8, scale: u8) -> Expr {
    let unscaled = arus_core::text::parse_decimal(text, 38, scale).unwrap();
    literal(Datum::Decimal(unscaled), TypeKind::Decimal { precision, scale })
}

/// A string as a column of type STRING would hold it.
pub(crate) fn string(value: &str) -> Expr {
    literal(Datum::String(value.to_owned()), TypeKind::STRING)
}

/// A string literal.
pub(crate) fn text(value: &str) -> Expr {
    literal(Datum::String(value.to_owned()), TypeKind::Char(value.chars().count() as u32))
}

pub(crate) fn timestamp_kind(precision: u8) -> TypeKind {
    TypeKind::Timestamp { precision, attribute: TimeAttribute::None }
}

pub(crate) fn ltz_kind(precision: u8) -> TypeKind {
    TypeKind::TimestampLtz { precision, attribute: TimeAttribute::None }
}

pub(crate) fn timestamp(value: &str, precision: u8) -> Expr {
    let units = arus_core::text::parse_timestamp(value).unwrap().to_units(precision).unwrap();
    literal(Datum::Timestamp(units), timestamp_kind(precision))
}

pub(crate) fn ltz(value: &str, precision: u8) -> Expr {
    let units = arus_core::text::parse_timestamp(value).unwrap().to_units(precision).unwrap();
    literal(Datum::Timestamp(units), ltz_kind(precision))
}

pub(crate) fn date(value: &str) -> Expr {
    literal(Datum::Date(arus_core::text::parse_date(value).unwrap()), TypeKind::Date)
}

pub(crate) fn time(value: &str) -> Expr {
    literal(Datum::Time(arus_core::text::parse_time(value).unwrap()), TypeKind::Time(3))
}

pub(crate) fn column(index: usize, kind: TypeKind) -> Expr {
    Expr::column(index, kind.nullable())
}

pub(crate) fn cast(input: Expr, kind: TypeKind) -> Expr {
    let nullable = input.ty().nullable;
    Expr::Cast { input: Box::new(input), ty: LogicalType { kind, nullable }, safe: false }
}

pub(crate) fn try_cast(input: Expr, kind: TypeKind) -> Expr {
    Expr::Cast { input: Box::new(input), ty: kind.nullable(), safe: true }
}

/// A call as the binder makes it: resolved, its arguments cast.
pub(crate) fn try_call(name: &str, args: Vec<Expr>) -> arus_core::Result<Expr> {
    let arguments: Vec<Argument> = args
        .iter()
        .map(|arg| Argument {
            ty: arg.ty(),
            literal: match arg {
                Expr::Literal { value, .. } => Some(value.clone()),
                _ => None,
            },
        })
        .collect();
    let call = Functions.resolve(name, &arguments)?;
    let args = args.into_iter().zip(call.arg_types).map(|(arg, ty)| {
        if arg.ty().kind == ty.kind { arg } else { Expr::Cast { input: Box::new(arg), ty, safe: false } }
    });
    Ok(Expr::call(call.function, args.collect(), call.return_type))
}

pub(crate) fn call(name: &str, args: Vec<Expr>) -> Expr {
    try_call(name, args).unwrap_or_else(|e| panic!("{}", e.render(None)))
}

// ---- evaluation ----------------------------------------------------------------------------------------

pub(crate) fn batch(columns: Vec<ArrayRef>, rows: usize) -> RecordBatch {
    let fields: Vec<Field> =
        columns.iter().enumerate().map(|(i, c)| Field::new(format!("c{i}"), c.data_type().clone(), true)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).unwrap()
}

pub(crate) fn run_in(expr: &Expr, batch: &RecordBatch, zone: &str) -> Evaluated {
    Program::compile(std::slice::from_ref(expr), zone)
        .unwrap_or_else(|e| panic!("{}", e.render(None)))
        .run(batch, &CX)
        .unwrap()
}

/// The value as CAST writes it, `NULL`, or `FAILED reason`.
pub(crate) fn show_in(expr: &Expr, zone: &str) -> String {
    let is_text = expr.ty().kind.is_string();
    let shown = if is_text { expr.clone() } else { cast(expr.clone(), TypeKind::STRING) };
    let result = run_in(&shown, &batch(vec![], 1), zone);
    if let Some(failed) = result.failed.first() {
        return format!("FAILED {}", failed.reason);
    }
    let value = crate::array_to_datum(&result.columns[0], 0, &TypeKind::STRING.nullable()).unwrap();
    match value {
        Datum::String(text) => text,
        _ => "NULL".to_owned(),
    }
}

pub(crate) fn show(expr: &Expr) -> String {
    show_in(expr, "UTC")
}

/// `value :: TYPE`
pub(crate) fn typed(expr: &Expr) -> String {
    format!("{} :: {}", show(expr), expr.ty())
}

/// Compares values, and the type where one is given after ` :: `.
#[track_caller]
pub(crate) fn check(cases: Vec<(Expr, &str)>) {
    for (expr, expected) in cases {
        let got = if expected.contains(" :: ") { typed(&expr) } else { show(&expr) };
        assert_eq!(got, expected, "{expr:?}");
        alone_as_together(&expr);
    }
}

/// Literals become columns with a NULL between, and then: a batch gives what its rows give one by one, and a
/// slice gives what its copy gives.
#[track_caller]
fn alone_as_together(expr: &Expr) {
    let mut columns = Vec::new();
    let mut general = expr.clone();
    to_columns(&mut general, &mut columns);
    if columns.is_empty() {
        return;
    }
    let columns: Vec<ArrayRef> = columns
        .iter()
        .map(|(value, ty)| {
            let value = crate::datum_to_array(value, ty).unwrap();
            let null = arrow::array::new_null_array(value.data_type(), 1);
            concat(&[null.as_ref(), value.as_ref(), null.as_ref(), value.as_ref(), value.as_ref()]).unwrap()
        })
        .collect();
    let whole = batch(columns.clone(), 5);
    let together = run_in(&general, &whole, "UTC");
    for row in 0..5 {
        let alone = run_in(&general, &whole.slice(row, 1), "UTC");
        let copy = columns.iter().map(|c| take(c, &UInt32Array::from(vec![row as u32]), None).unwrap()).collect();
        let copied = run_in(&general, &batch(copy, 1), "UTC");
        let reasons = |e: &Evaluated, row: u32| {
            e.failed.iter().filter(|f| f.row == row).map(|f| f.reason.clone()).collect::<Vec<_>>()
        };
        assert_eq!(reasons(&together, row as u32), reasons(&alone, 0), "row {row} of {general:?}");
        assert_eq!(reasons(&alone, 0), reasons(&copied, 0), "row {row} of {general:?}");
        if reasons(&alone, 0).is_empty() {
            let ty = general.ty();
            let value = |array: &ArrayRef, row| format!("{:?}", crate::array_to_datum(array, row, &ty).unwrap());
            assert_eq!(value(&together.columns[0], row), value(&alone.columns[0], 0), "row {row} of {general:?}");
            assert_eq!(value(&alone.columns[0], 0), value(&copied.columns[0], 0), "row {row} of {general:?}");
        }
    }
}

/// Units and patterns stay literals: the planner needs them so.
fn to_columns(expr: &mut Expr, columns: &mut Vec<(Datum, LogicalType)>) {
    if let Expr::Literal { value, ty } = expr {
        if !matches!(ty.kind, TypeKind::Char(_) | TypeKind::Null) {
            columns.push((value.clone(), ty.clone()));
            *expr = Expr::column(columns.len() - 1, ty.clone());
        }
        return;
    }
    if let Expr::Call { function, args, .. } = expr
        && function == "TO_TIMESTAMP_LTZ"
    {
        return to_columns(&mut args[0], columns);
    }
    for child in expr.children_mut() {
        to_columns(child, columns);
    }
}
