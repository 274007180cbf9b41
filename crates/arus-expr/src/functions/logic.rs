//! NOT, IS [NOT] NULL, IS [NOT] TRUE and the like. AND and OR are part of the evaluator.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray};
use arrow::compute::{is_not_null, is_null, not};
use arrow::datatypes::DataType;
use arus_core::change::arrow_bug;
use arus_core::function::Argument;
use arus_core::{Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, as_is, safe};
use crate::value::{Booleans, booleans};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(&["NOT"], "NOT <BOOLEAN>", one_boolean, compile_not),
    Function::new(&["IS NULL"], "<ANY> IS NULL", null_test, |_| compile_null_test(true)),
    Function::new(&["IS NOT NULL"], "<ANY> IS NOT NULL", null_test, |_| compile_null_test(false)),
    Function::new(&["IS UNKNOWN"], "<BOOLEAN> IS UNKNOWN", truth_test, |_| compile_null_test(true)),
    Function::new(&["IS NOT UNKNOWN"], "<BOOLEAN> IS NOT UNKNOWN", truth_test, |_| compile_null_test(false)),
    Function::new(&["IS TRUE"], "<BOOLEAN> IS TRUE", truth_test, |_| compile_truth_test(|v| v == Some(true))),
    Function::new(&["IS NOT TRUE"], "<BOOLEAN> IS NOT TRUE", truth_test, |_| compile_truth_test(|v| v != Some(true))),
    Function::new(&["IS FALSE"], "<BOOLEAN> IS FALSE", truth_test, |_| compile_truth_test(|v| v == Some(false))),
    Function::new(&["IS NOT FALSE"], "<BOOLEAN> IS NOT FALSE", truth_test, |_| {
        compile_truth_test(|v| v != Some(false))
    }),
];

fn one_boolean(args: &[Argument]) -> Option<Call> {
    match args {
        [arg] if arg.ty.kind == TypeKind::Boolean => as_is(args, TypeKind::Boolean),
        _ => None,
    }
}

fn never_null(args: &[Argument]) -> Option<Call> {
    Some(Call { return_type: TypeKind::Boolean.not_null(), ..as_is(args, TypeKind::Boolean)? })
}

fn truth_test(args: &[Argument]) -> Option<Call> {
    one_boolean(args).and_then(|_| never_null(args))
}

fn null_test(args: &[Argument]) -> Option<Call> {
    if args.len() == 1 { never_null(args) } else { None }
}

fn compile_not(_: &CompileCall<'_>) -> Result<Compiled> {
    safe(|args, _| {
        let array = args[0].array();
        let array = arrow::array::AsArray::as_boolean(array.as_ref());
        Ok(Arc::new(not(array).map_err(arrow_bug)?))
    })
}

fn compile_null_test(want_null: bool) -> Result<Compiled> {
    safe(move |args, cx| {
        let array = args[0].array();
        if array.data_type() == &DataType::Null {
            return Ok(Arc::new(BooleanArray::from(vec![want_null; cx.rows])));
        }
        let tested = if want_null { is_null(array.as_ref()) } else { is_not_null(array.as_ref()) };
        Ok(Arc::new(tested.map_err(arrow_bug)?))
    })
}

fn compile_truth_test(test: fn(Option<bool>) -> bool) -> Result<Compiled> {
    safe(move |args, cx| {
        let values = Booleans::of(&args[0])?;
        Ok(booleans(cx.rows, |row| Some(test(values.get(row)))))
    })
}
