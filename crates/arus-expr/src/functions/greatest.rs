//! GREATEST and LEAST: NULL as soon as one argument is.
//!
//! Floats are ordered as Java's `Double.compareTo` does, not as the operators: -0.0 is below 0.0, NaN above all.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef};
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::{ArrowPrimitiveType, Float32Type, Float64Type};
use arus_core::change::arrow_bug;
use arus_core::expr::Expr;
use arus_core::function::Argument;
use arus_core::{LogicalType, Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, any_nullable, find, safe};
use crate::typing::common_type;
use crate::value::{Cx, Kernel, Numbers, Value, booleans, union_nulls};

#[derive(Debug, Clone, Copy)]
enum Wanted {
    Greatest,
    Least,
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(&["GREATEST"], "GREATEST(<COMPARABLE_TYPE>, ..)", resolve, |call| compile(call, Wanted::Greatest)),
    Function::new(&["LEAST"], "LEAST(<COMPARABLE_TYPE>, ..)", resolve, |call| compile(call, Wanted::Least)),
];

fn resolve(args: &[Argument]) -> Option<Call> {
    let types: Vec<LogicalType> = args.iter().map(|a| a.ty.clone()).collect();
    let common = common_type(&types)?.without_time_attribute();
    if matches!(common.kind, TypeKind::Null) || args.iter().any(|a| matches!(a.ty.kind, TypeKind::Null)) {
        return None;
    }
    // Values of another length need no cast.
    let kind = |ty: &LogicalType| if ty.kind.is_string() { ty.kind.clone() } else { common.kind.clone() };
    let arg_types = types.iter().map(|ty| LogicalType { kind: kind(ty), nullable: ty.nullable }).collect();
    Some(Call { arg_types, return_type: common.with_nullable(any_nullable(args)) })
}

/// Code that says whether the first of two values stays.
fn compile_keep(call: &CompileCall<'_>, wanted: Wanted) -> Result<Kernel> {
    match call.kind(0)? {
        TypeKind::Float => Ok(keep_floats::<Float32Type>(wanted)),
        TypeKind::Double => Ok(keep_floats::<Float64Type>(wanted)),
        _ => {
            let first = call.args.first().ok_or_else(|| call.bug())?;
            let pair: Vec<Expr> = vec![first.clone(), first.clone()];
            let name = match wanted {
                Wanted::Greatest => ">=",
                Wanted::Least => "<=",
            };
            let compare = find(name).ok_or_else(|| call.bug())?;
            let ty = TypeKind::Boolean.nullable();
            Ok((compare.compile)(&CompileCall { name, args: &pair, ty: &ty, zone: call.zone })?.kernel)
        }
    }
}

fn keep_floats<T: ArrowPrimitiveType>(wanted: Wanted) -> Kernel
where
    f64: From<T::Native>,
{
    Box::new(move |args, cx| {
        let (best, other) = (Numbers::<T>::of(&args[0])?, Numbers::<T>::of(&args[1])?);
        Ok(booleans(cx.rows, |row| {
            let order = java_order(best.get(row)?.into(), other.get(row)?.into());
            Some(match wanted {
                Wanted::Greatest => order.is_ge(),
                Wanted::Least => order.is_le(),
            })
        }))
    })
}

fn java_order(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (false, false) => a.total_cmp(&b),
        (a, b) => a.cmp(&b),
    }
}

fn compile(call: &CompileCall<'_>, wanted: Wanted) -> Result<Compiled> {
    let compare = compile_keep(call, wanted)?;
    safe(move |args, cx| {
        let mut best = args[0].clone();
        for arg in &args[1..] {
            best = better_of(&compare, best, arg, cx)?;
        }
        let array = best.into_array(cx.rows)?;
        // A NULL anywhere wins.
        match union_nulls(args, cx.rows) {
            Some(nulls) => {
                let data = array.to_data().into_builder().nulls(Some(nulls)).build().map_err(arrow_bug)?;
                Ok(arrow::array::make_array(data))
            }
            None => Ok(array),
        }
    })
}

fn better_of(compare: &Kernel, best: Value, arg: &Value, cx: &mut Cx<'_>) -> Result<Value> {
    let scalar = best.is_scalar() && arg.is_scalar();
    let mut inner = Cx { rows: if scalar { 1 } else { cx.rows }, eval: cx.eval, failed: cx.failed };
    let keep = compare(&[best.clone(), arg.clone()], &mut inner)?;
    let keep = arrow::array::AsArray::as_boolean(keep.as_ref());
    let chosen: ArrayRef = zip(keep, &best, arg).map_err(arrow_bug)?;
    Ok(if scalar && chosen.len() == 1 { Value::Scalar(chosen) } else { Value::Array(chosen) })
}
