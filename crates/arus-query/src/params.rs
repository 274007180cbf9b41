//! Parameters: `$1` as text from the Postgres wire, `:name` as JSON from dashboards. They bind, they never
//! substitute text.

use std::collections::{BTreeMap, HashMap};

use arus_core::error::Code;
use arus_core::{Error, Result};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::LogicalPlan;
use serde_json::Value;

/// `:name` outside quotes becomes `$name`; `::type` stays.
pub(crate) fn named_to_dollar(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut chars = sql.chars().peekable();
    let mut quote = None;
    let mut last = ' ';
    while let Some(c) = chars.next() {
        match quote {
            Some(q) => {
                if c == q {
                    quote = None;
                }
                out.push(c);
            }
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                out.push(c);
            }
            None if c == ':' && last != ':' && chars.peek().is_some_and(|n| n.is_alphabetic() || *n == '_') => {
                out.push('$');
            }
            None => out.push(c),
        }
        last = c;
    }
    out
}

/// Binds `$1`.. from their text in the types that the plan wants.
pub(crate) fn bind_text(plan: LogicalPlan, params: &[Option<String>]) -> Result<LogicalPlan> {
    let types = plan.get_parameter_types().map_err(crate::errors::plan_error)?;
    let mut values = Vec::with_capacity(params.len());
    for (i, text) in params.iter().enumerate() {
        let ty = types.get(&format!("${}", i + 1)).cloned().flatten().unwrap_or(DataType::Utf8);
        let value = match text {
            None => ScalarValue::try_from(&ty).map_err(crate::errors::plan_error)?,
            Some(text) => ScalarValue::Utf8(Some(text.clone())).cast_to(&ty).map_err(|_| {
                Error::user(format!("parameter ${}: expected a value of type {ty}, found '{text}'", i + 1))
                    .with_code(Code::InvalidValue)
            })?,
        };
        values.push(value);
    }
    plan.with_param_values(values).map_err(crate::errors::plan_error)
}

/// Binds `$name` from JSON: strings, numbers, booleans, and arrays of them.
pub(crate) fn bind_named(plan: LogicalPlan, params: &BTreeMap<String, Value>) -> Result<LogicalPlan> {
    let types = plan.get_parameter_types().map_err(crate::errors::plan_error)?;
    let mut values = HashMap::new();
    for (name, ty) in types {
        let name = name.trim_start_matches('$').to_string();
        let json = params
            .get(&name)
            .ok_or_else(|| Error::user(format!("parameter :{name} has no value")).with_code(Code::InvalidValue))?;
        let value = scalar(json)
            .ok_or_else(|| Error::user(format!("parameter :{name}: expected a scalar or a list of scalars")))?;
        let value = match ty {
            Some(ty) => value.cast_to(&ty).map_err(|_| {
                Error::user(format!("parameter :{name}: expected a value of type {ty}, found {json}"))
                    .with_code(Code::InvalidValue)
            })?,
            None => value,
        };
        values.insert(name, value.into());
    }
    plan.with_param_values(ParamValues::Map(values)).map_err(crate::errors::plan_error)
}

fn scalar(json: &Value) -> Option<ScalarValue> {
    Some(match json {
        Value::Null => ScalarValue::Null,
        Value::Bool(b) => ScalarValue::Boolean(Some(*b)),
        Value::Number(n) => match n.as_i64() {
            Some(i) => ScalarValue::Int64(Some(i)),
            None => ScalarValue::Float64(n.as_f64()),
        },
        Value::String(s) => ScalarValue::Utf8(Some(s.clone())),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(scalar).collect::<Option<_>>()?;
            let ty = items.first().map_or(DataType::Utf8, ScalarValue::data_type);
            ScalarValue::List(ScalarValue::new_list(&items, &ty, true))
        }
        Value::Object(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::named_to_dollar;

    #[test]
    fn names_become_dollars_outside_quotes() {
        assert_eq!(
            named_to_dollar("SELECT ':a', \":b\", x::text FROM t WHERE c = ANY(:category)"),
            "SELECT ':a', \":b\", x::text FROM t WHERE c = ANY($category)"
        );
    }
}
