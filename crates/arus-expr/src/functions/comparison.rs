//! =, <>, <, <=, >, >= and IS [NOT] DISTINCT FROM.
//!
//! Integers, times, strings and bytes use Arrow's kernels. Floats do not: Arrow orders NaN and -0.0 totally, Java
//! follows IEEE 754. Rows, arrays and maps are equal when all their parts are, two NULLs inside them being equal.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::make_comparator;
use arrow::array::{Array, BooleanArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::SortOptions;
use arrow::compute::kernels::cmp;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Float32Type, Float64Type};
use arrow::error::ArrowError;
use arus_core::change::arrow_bug;
use arus_core::function::Argument;
use arus_core::{Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, coerced, safe};
use crate::typing::comparison_type;
use crate::value::{Numbers, Value, union_nulls};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(&["="], "<COMPARABLE_TYPE> = <COMPARABLE_TYPE>", equality, |c| compile(c, Test::Eq)),
    Function::new(&["<>"], "<COMPARABLE_TYPE> <> <COMPARABLE_TYPE>", equality, |c| compile(c, Test::NotEq)),
    Function::new(&["<"], "<COMPARABLE_TYPE> < <COMPARABLE_TYPE>", ordering, |c| compile(c, Test::Lt)),
    Function::new(&["<="], "<COMPARABLE_TYPE> <= <COMPARABLE_TYPE>", ordering, |c| compile(c, Test::LtEq)),
    Function::new(&[">"], "<COMPARABLE_TYPE> > <COMPARABLE_TYPE>", ordering, |c| compile(c, Test::Gt)),
    Function::new(&[">="], "<COMPARABLE_TYPE> >= <COMPARABLE_TYPE>", ordering, |c| compile(c, Test::GtEq)),
    Function::new(&["IS DISTINCT FROM"], "<COMPARABLE_TYPE> IS DISTINCT FROM <COMPARABLE_TYPE>", distinct, |c| {
        compile_distinct(c, true)
    }),
    Function::new(
        &["IS NOT DISTINCT FROM"],
        "<COMPARABLE_TYPE> IS NOT DISTINCT FROM <COMPARABLE_TYPE>",
        distinct,
        |c| compile_distinct(c, false),
    ),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
}

impl Test {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Test::Eq => order.is_eq(),
            Test::NotEq => order.is_ne(),
            Test::Lt => order.is_lt(),
            Test::LtEq => order.is_le(),
            Test::Gt => order.is_gt(),
            Test::GtEq => order.is_ge(),
        }
    }

    fn kernel(self) -> fn(&dyn arrow::array::Datum, &dyn arrow::array::Datum) -> Result<BooleanArray, ArrowError> {
        match self {
            Test::Eq => cmp::eq,
            Test::NotEq => cmp::neq,
            Test::Lt => cmp::lt,
            Test::LtEq => cmp::lt_eq,
            Test::Gt => cmp::gt,
            Test::GtEq => cmp::gt_eq,
        }
    }
}

/// Strings keep their lengths, so that none is cast; all else is compared as one type.
fn compared(args: &[Argument]) -> Option<(TypeKind, Vec<TypeKind>)> {
    let [a, b] = args else { return None };
    let kind = comparison_type(&a.ty, &b.ty)?;
    if matches!(kind, TypeKind::Null) {
        return None;
    }
    let as_is = |k: &TypeKind| kind.is_string() && k.is_string() || kind.is_binary() && k.is_binary();
    let kinds = args.iter().map(|arg| if as_is(&arg.ty.kind) { arg.ty.kind.clone() } else { kind.clone() }).collect();
    Some((kind, kinds))
}

fn equality(args: &[Argument]) -> Option<Call> {
    let (_, kinds) = compared(args)?;
    coerced(args, kinds, TypeKind::Boolean)
}

fn ordering(args: &[Argument]) -> Option<Call> {
    let (kind, kinds) = compared(args)?;
    let nested = matches!(kind, TypeKind::Array(_) | TypeKind::Map(..) | TypeKind::Multiset(_) | TypeKind::Row(_));
    if nested { None } else { coerced(args, kinds, TypeKind::Boolean) }
}

fn distinct(args: &[Argument]) -> Option<Call> {
    let (_, kinds) = compared(args)?;
    Some(Call { return_type: TypeKind::Boolean.not_null(), ..coerced(args, kinds, TypeKind::Boolean)? })
}

fn compile(call: &CompileCall<'_>, test: Test) -> Result<Compiled> {
    match call.kind(0)? {
        TypeKind::Float => safe(move |args, cx| floats::<Float32Type>(args, cx.rows, test)),
        TypeKind::Double => safe(move |args, cx| floats::<Float64Type>(args, cx.rows, test)),
        TypeKind::Array(_) | TypeKind::Map(..) | TypeKind::Multiset(_) | TypeKind::Row(_) => {
            safe(move |args, cx| nested(args, cx.rows, test))
        }
        _ => {
            let kernel = test.kernel();
            safe(move |args, _| Ok(Arc::new(kernel(&args[0], &args[1]).map_err(arrow_bug)?)))
        }
    }
}

fn floats<T: ArrowPrimitiveType>(args: &[Value], rows: usize, test: Test) -> Result<arrow::array::ArrayRef>
where
    T::Native: PartialOrd,
{
    let (a, b) = (Numbers::<T>::of(&args[0])?, Numbers::<T>::of(&args[1])?);
    let values = match test {
        Test::Eq => BooleanBuffer::collect_bool(rows, |row| a.raw(row) == b.raw(row)),
        Test::NotEq => BooleanBuffer::collect_bool(rows, |row| a.raw(row) != b.raw(row)),
        Test::Lt => BooleanBuffer::collect_bool(rows, |row| a.raw(row) < b.raw(row)),
        Test::LtEq => BooleanBuffer::collect_bool(rows, |row| a.raw(row) <= b.raw(row)),
        Test::Gt => BooleanBuffer::collect_bool(rows, |row| a.raw(row) > b.raw(row)),
        Test::GtEq => BooleanBuffer::collect_bool(rows, |row| a.raw(row) >= b.raw(row)),
    };
    Ok(Arc::new(BooleanArray::new(values, union_nulls(args, rows))))
}

fn nested(args: &[Value], rows: usize, test: Test) -> Result<arrow::array::ArrayRef> {
    let (a, b) = (args[0].array(), args[1].array());
    let order = make_comparator(a.as_ref(), b.as_ref(), SortOptions::default()).map_err(arrow_bug)?;
    let at = |value: &Value, row: usize| if value.is_scalar() { 0 } else { row };
    let values = BooleanBuffer::collect_bool(rows, |row| test.holds(order(at(&args[0], row), at(&args[1], row))));
    Ok(Arc::new(BooleanArray::new(values, union_nulls(args, rows))))
}

fn compile_distinct(call: &CompileCall<'_>, want_distinct: bool) -> Result<Compiled> {
    let equal = compile(call, Test::Eq)?.kernel;
    safe(move |args, cx| {
        let equal = equal(args, cx)?;
        let equal: &BooleanArray = arrow::array::AsArray::as_boolean(equal.as_ref());
        let valid = |value: &Value, row: usize| {
            let array = value.array();
            let row = if value.is_scalar() { 0 } else { row };
            array.data_type() != &DataType::Null && array.is_valid(row)
        };
        let values = BooleanBuffer::collect_bool(cx.rows, |row| {
            let same = match (valid(&args[0], row), valid(&args[1], row)) {
                (true, true) => equal.value(row),
                (a, b) => a == b,
            };
            same != want_distinct
        });
        Ok(Arc::new(BooleanArray::new(values, None::<NullBuffer>)))
    })
}
