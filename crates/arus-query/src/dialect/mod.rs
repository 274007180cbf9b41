//! PostgreSQL's functions, operators and casts where the planner's own differ: by result, by type, or by not being there.

mod aggregates;
mod json;
mod numbers;
pub(crate) mod operators;
mod patterns;
mod strings;
pub(crate) mod syntax;
mod times;
mod write;

use std::sync::Arc;

use arus_core::postgres_time::Zone;
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::SessionState;
use datafusion::logical_expr::ScalarUDF;

use crate::function::{Returns, Value, element_type, list_of, strict};
use operators::Operators;

/// Registers what does not depend on the session; gives the functions of operators.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    let aggregates = aggregates::typed(state.udaf("sum")?, state.udaf("avg")?);
    for aggregate in aggregates {
        state.register_udaf(Arc::new(aggregate))?;
    }
    for function in fixed() {
        state.register_udf(Arc::new(function))?;
    }
    Ok(())
}

fn fixed() -> Vec<ScalarUDF> {
    let mut all = vec![
        strict("arus_items", Returns::Of(|types| list_of(element_type(&types[0]))), |a| Ok(a[0].clone())),
        strict("arus_subscripts", Returns::Of(|_| list_of(DataType::Int32)), |a| match &a[0] {
            Value::List(items) => Ok(Value::List((1..=items.len() as i64).map(Value::Int).collect())),
            _ => Ok(Value::Null),
        }),
        strict("arus_percentile_disc", Returns::Of(|types| element_type(&types[0])), |a| {
            let Value::List(items) = &a[0] else { return Ok(Value::Null) };
            let rank = (a[1].float() * items.len() as f64).ceil().max(1.0) as usize;
            Ok(items.get(rank - 1).cloned().unwrap_or(Value::Null))
        }),
        strict("arus_mode", Returns::Of(|types| element_type(&types[0])), |a| {
            let Value::List(items) = &a[0] else { return Ok(Value::Null) };
            let runs = items.chunk_by(|x, y| x == y);
            // Of several the first.
            let longest = runs.fold(None, |best: Option<&[Value]>, run| match best {
                Some(best) if best.len() >= run.len() => Some(best),
                _ => Some(run),
            });
            Ok(longest.and_then(|run| run.first().cloned()).unwrap_or(Value::Null))
        }),
    ];
    all.extend(json::all());
    all.extend(numbers::all());
    all.extend(strings::all());
    all.extend(times::all());
    all
}

/// Registers what depends on the session's zone, and plans operators.
pub(crate) fn register_for(state: &mut SessionState, zone: Zone) -> Result<Arc<Operators>> {
    let zoned: Vec<_> = times::zoned(zone).into_iter().map(Arc::new).collect();
    for function in &zoned {
        state.register_udf(function.clone())?;
    }
    let mut known = zoned;
    for name in OPERATORS {
        known.push(state.udf(name)?);
    }
    let operators = Arc::new(Operators(known));
    state.register_expr_planner(operators.clone())?;
    Ok(operators)
}

/// What operators and casts call, besides what depends on the zone.
const OPERATORS: [&str; 16] = [
    "arus_json_get",
    "arus_json_get_text",
    "arus_json_path",
    "arus_json_path_text",
    "arus_json_has",
    "arus_json_has_any",
    "arus_json_has_all",
    "arus_json_contains",
    "arus_date_difference",
    "arus_date_add",
    "arus_interval_times",
    "arus_divide",
    "arus_bytes",
    "power",
    "round",
    "trunc",
];
