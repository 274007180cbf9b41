//! GROUP BY: the rows that are left, grouped by comparing each with each, then each call over its group.

use arus_core::function::AggregateFunction;
use arus_core::plan::AggregateCall;
use arus_core::{RowSchema, TypeKind};

use super::expr::{Evaluated, unsupported};
use super::numeric::{divided_half_up, fitted, power_of_ten, wrapped};
use super::relation::{Event, Interpreter, Relation};
use super::value::{Value, same_rows};

/// One row a group: keys, then calls.
pub(crate) fn groups(
    interpreter: &Interpreter<'_>,
    input: &Relation,
    keys: &[usize],
    calls: &[AggregateCall],
    schema: &RowSchema,
) -> Evaluated<Vec<Vec<Value>>> {
    // A key that others determine is left out by some plans.
    let key_failed = |e: &Event| keys.iter().any(|k| matches!(e.values[*k], Value::Failed(_)));
    if input.events.iter().any(key_failed) {
        return unsupported("a key that fails");
    }
    let rows = interpreter.remaining(&input.events)?;
    let mut groups: Vec<(Vec<Value>, Vec<Vec<Value>>)> = vec![];
    for row in rows {
        let key: Vec<Value> = keys.iter().map(|k| row[*k].clone()).collect();
        match groups.iter_mut().find(|(k, _)| same_rows(k, &key)) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((key, vec![row])),
        }
    }
    let mut output = vec![];
    for (mut key, rows) in groups {
        for call in calls {
            key.push(aggregated(call, &rows, input.ordered, schema)?);
        }
        output.push(key);
    }
    Ok(output)
}

fn aggregated(call: &AggregateCall, rows: &[Vec<Value>], ordered: bool, schema: &RowSchema) -> Evaluated<Value> {
    let mut counted: Vec<Vec<Value>> = vec![];
    let values = |row: &[Value]| call.args.iter().map(|a| row[*a].clone()).collect::<Vec<_>>();
    for row in rows {
        let passes = call.filter.is_none_or(|f| matches!(row[f], Value::Boolean(true)));
        let again = || call.distinct && counted.iter().any(|other| same_rows(&values(other), &values(row)));
        if passes && !again() {
            counted.push(row.clone());
        }
    }
    let rows = counted.as_slice();
    let Some(arg) = call.args.first().copied() else {
        return match call.function {
            AggregateFunction::Count => Ok(Value::Integer(rows.len() as i64)),
            other => unsupported(format!("{other:?} without an argument")),
        };
    };
    let ty = &schema.columns()[arg].ty.kind;
    let values: Vec<&Value> = rows.iter().map(|row| &row[arg]).filter(|v| !v.is_null()).collect();
    if call.function == AggregateFunction::Count {
        let counted = |row: &&Vec<Value>| call.args.iter().all(|a| !row[*a].is_null());
        return Ok(Value::Integer(rows.iter().filter(counted).count() as i64));
    }
    if call.function == AggregateFunction::ArrayAgg {
        return match (ordered, rows.is_empty()) {
            (false, _) => unsupported("an aggregate by order over rows without one"),
            (true, true) => Ok(Value::Null),
            (true, false) => Ok(Value::Array(rows.iter().map(|row| row[arg].clone()).collect())),
        };
    }
    if values.is_empty() {
        return Ok(Value::Null);
    }
    let in_order = || if ordered { Ok(()) } else { unsupported("an aggregate by order over rows without one") };
    match call.function {
        AggregateFunction::FirstValue => in_order().map(|()| values[0].clone()),
        AggregateFunction::LastValue => in_order().map(|()| values[values.len() - 1].clone()),
        AggregateFunction::ArrayAggIgnoreNulls => {
            in_order().map(|()| Value::Array(values.into_iter().cloned().collect()))
        }
        AggregateFunction::Listagg => {
            in_order()?;
            let comma = Value::String(",".into());
            let between = call.args.get(1).map_or(&comma, |a| &rows[0][*a]);
            let texts = values.iter().map(|v| if let Value::String(v) = v { v.as_str() } else { "" });
            match between {
                Value::String(between) => Ok(Value::String(texts.collect::<Vec<_>>().join(between))),
                _ => unsupported("LISTAGG without its separator"),
            }
        }
        AggregateFunction::Percentile | AggregateFunction::JsonArrayAgg | AggregateFunction::JsonObjectAgg => {
            unsupported(format!("{:?}", call.function))
        }
        AggregateFunction::Collect => {
            let mut counts: Vec<(Value, Value)> = vec![];
            for value in values {
                match counts.iter_mut().find(|(v, _)| v.same(value)) {
                    Some((_, Value::Integer(count))) => *count += 1,
                    _ => counts.push((value.clone(), Value::Integer(1))),
                }
            }
            Ok(Value::Map(counts))
        }
        AggregateFunction::Min | AggregateFunction::Max => {
            let mut best = values[0];
            for value in &values[1..] {
                let Some(order) = value.compare(best) else { return unsupported("MIN or MAX of what has no order") };
                if order.is_lt() == (call.function == AggregateFunction::Min) && order.is_ne() {
                    best = value;
                }
            }
            Ok(best.clone())
        }
        AggregateFunction::Sum => match ty {
            TypeKind::Decimal { scale, .. } => fitted(whole_sum(&values)?, (*scale).into(), &call.ty.kind),
            TypeKind::Double => Ok(Value::Double(double_sum(&values))),
            ty if ty.is_integer() => wrapped(whole_sum(&values)?, &call.ty.kind),
            other => unsupported(format!("SUM of {other}")),
        },
        AggregateFunction::Avg => match ty {
            TypeKind::Decimal { scale, .. } => {
                let TypeKind::Decimal { scale: wanted, .. } = call.ty.kind else {
                    return unsupported(format!("AVG as {}", call.ty));
                };
                let Some(raised) = whole_sum(&values)?.checked_mul(power_of_ten(u32::from(wanted - scale))?) else {
                    return unsupported("AVG beyond 128 bits");
                };
                fitted(divided_half_up(raised, values.len() as i128), wanted.into(), &call.ty.kind)
            }
            TypeKind::Double => Ok(Value::Double(double_sum(&values) / values.len() as f64)),
            ty if ty.is_integer() => {
                // The sum is a BIGINT, which wraps.
                let sum = whole_sum(&values)? as i64;
                wrapped((sum / values.len() as i64).into(), &call.ty.kind)
            }
            other => unsupported(format!("AVG of {other}")),
        },
        other => unsupported(format!("{other:?}")),
    }
}

fn whole_sum(values: &[&Value]) -> Evaluated<i128> {
    let mut sum = 0_i128;
    for value in values {
        sum += match value {
            Value::Integer(v) => i128::from(*v),
            Value::Decimal(v) => *v,
            other => return unsupported(format!("a sum with {other}")),
        };
    }
    Ok(sum)
}

fn double_sum(values: &[&Value]) -> f64 {
    values.iter().map(|v| if let Value::Double(v) = v { *v } else { f64::NAN }).sum()
}
