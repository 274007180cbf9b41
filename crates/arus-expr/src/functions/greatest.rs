//! GREATEST and LEAST: NULL as soon as one argument is.

use arrow::array::{Array, ArrayRef};
use arrow::compute::kernels::zip::zip;
use arus_core::change::arrow_bug;
use arus_core::expr::Expr;
use arus_core::function::Argument;
use arus_core::{LogicalType, Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, any_nullable, find, safe};
use crate::typing::common_type;
use crate::value::{Cx, Value, union_nulls};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(&["GREATEST"], "GREATEST(<COMPARABLE_TYPE>, ..)", resolve, |call| compile(call, ">=")),
    Function::new(&["LEAST"], "LEAST(<COMPARABLE_TYPE>, ..)", resolve, |call| compile(call, "<=")),
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

fn compile(call: &CompileCall<'_>, better: &str) -> Result<Compiled> {
    let first = call.args.first().ok_or_else(|| call.bug())?;
    let pair: Vec<Expr> = vec![first.clone(), first.clone()];
    let compare = find(better).ok_or_else(|| call.bug())?;
    let ty = TypeKind::Boolean.nullable();
    let compare = (compare.compile)(&CompileCall { name: better, args: &pair, ty: &ty, zone: call.zone })?.kernel;
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

fn better_of(compare: &crate::value::Kernel, best: Value, arg: &Value, cx: &mut Cx<'_>) -> Result<Value> {
    let scalar = best.is_scalar() && arg.is_scalar();
    let mut inner = Cx { rows: if scalar { 1 } else { cx.rows }, eval: cx.eval, failed: cx.failed };
    let keep = compare(&[best.clone(), arg.clone()], &mut inner)?;
    let keep = arrow::array::AsArray::as_boolean(keep.as_ref());
    let chosen: ArrayRef = zip(keep, &best, arg).map_err(arrow_bug)?;
    Ok(if scalar && chosen.len() == 1 { Value::Scalar(chosen) } else { Value::Array(chosen) })
}
