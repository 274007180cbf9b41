//! Parameters: `$1` as text from the Postgres wire, `:name` as JSON from dashboards. They bind, they never
//! substitute text.

use std::collections::{BTreeMap, HashMap};

use arus_core::error::Code;
use arus_core::limits::PARAMETERS;
use arus_core::platform::{PG_TYPE, Param};
use arus_core::{Error, Result};
use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ParamValues, ScalarValue};
use datafusion::logical_expr::expr::{Placeholder, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator};
use serde_json::Value;

use crate::errors::plan_error;
use crate::function::list_of;
use crate::text;

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

/// Gives a parameter its type where only its neighbours tell it: `x = ANY($1)`, `LIMIT $1`.
pub(crate) fn infer(plan: LogicalPlan) -> Result<LogicalPlan> {
    let done = plan.transform_up_with_subqueries(|node| {
        let mut schema = DFSchema::empty();
        for input in node.inputs() {
            schema.merge(input.schema());
        }
        if let LogicalPlan::TableScan(_) = &node {
            schema.merge(node.schema());
        }
        if let LogicalPlan::Limit(_) = &node {
            return node.map_expressions(|expr| Ok(counted(expr)));
        }
        node.map_expressions(|expr| expr.transform_up(|expr| Ok(typed(expr, &schema))))
    });
    done.map(|d| d.data).map_err(plan_error)
}

/// `flag = 't'`: a text beside a boolean is one.
fn as_boolean(expr: &Expr, schema: &DFSchema) -> Option<Expr> {
    let Expr::BinaryExpr(both) = expr else { return None };
    if !matches!(both.op, Operator::Eq | Operator::NotEq) || both.left.get_type(schema).ok()? != DataType::Boolean {
        return None;
    }
    let Expr::Literal(ScalarValue::Utf8(Some(text)), _) = both.right.as_ref() else { return None };
    let value = match text.to_ascii_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "on" | "1" => true,
        "f" | "false" | "n" | "no" | "off" | "0" => false,
        _ => return None,
    };
    let right = Box::new(Expr::Literal(ScalarValue::Boolean(Some(value)), None));
    Some(Expr::BinaryExpr(BinaryExpr::new(both.left.clone(), both.op, right)))
}

/// A number of rows.
fn counted(expr: Expr) -> Transformed<Expr> {
    let Expr::Placeholder(Placeholder { id, field: None }) = &expr else { return Transformed::no(expr) };
    let field = std::sync::Arc::new(datafusion::arrow::datatypes::Field::new("", DataType::Int64, true));
    Transformed::yes(Expr::Placeholder(Placeholder::new_with_field(id.clone(), Some(field))))
}

fn typed(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    // `$1::int` is an int from the start.
    if let Expr::Cast(cast) = &expr
        && let Expr::Placeholder(Placeholder { id, field: None }) = cast.expr.as_ref()
    {
        let mut typed = cast.clone();
        typed.expr = Box::new(Expr::Placeholder(Placeholder::new_with_field(id.clone(), Some(cast.field.clone()))));
        return Transformed::yes(Expr::Cast(typed));
    }
    if let Some(better) = as_boolean(&expr, schema) {
        return Transformed::yes(better);
    }
    let Expr::ScalarFunction(call) = &expr else { return Transformed::no(expr) };
    if !["array_has", "array_contains", "array_any_value"].contains(&call.func.name()) {
        return Transformed::no(expr);
    }
    let [Expr::Placeholder(Placeholder { id, field: None }), item] = call.args.as_slice() else {
        return Transformed::no(expr);
    };
    let Ok(ty) = item.get_type(schema) else { return Transformed::no(expr) };
    let field = std::sync::Arc::new(datafusion::arrow::datatypes::Field::new("", list_of(ty), true));
    let list = Expr::Placeholder(Placeholder::new_with_field(id.clone(), Some(field)));
    let args = vec![list, item.clone()];
    Transformed::yes(Expr::ScalarFunction(ScalarFunction { func: call.func.clone(), args }))
}

/// Of `$1`.
pub(crate) fn number(name: &str) -> Option<usize> {
    name.trim_start_matches('$').parse().ok()
}

/// The types of `$1`..; what nothing tells is text.
pub(crate) fn types(plan: &LogicalPlan, declared: &[Option<DataType>]) -> Result<Vec<DataType>> {
    let found = plan.get_parameter_types().map_err(plan_error)?;
    let count = found.keys().filter_map(|name| number(name)).max().unwrap_or(0).max(declared.len());
    if count > PARAMETERS {
        let message = format!("there is no parameter ${count}: a statement has at most {PARAMETERS}");
        return Err(Error::user(message).with_code(Code::InvalidValue));
    }
    let one = |i: usize| {
        let said = declared.get(i).cloned().flatten();
        said.or_else(|| found.get(&format!("${}", i + 1)).cloned().flatten()).unwrap_or(DataType::Utf8)
    };
    Ok((0..count).map(one).collect())
}

/// The types with what Arrow's do not tell: `$1::oid[]`, without which a driver that looks up types looks up that one for ever.
pub(crate) fn named(types: &[DataType], sql: &str) -> Vec<DataType> {
    let one = |(i, ty): (usize, &DataType)| match ty {
        DataType::List(item) if sql.contains(&format!("${}::oid[]", i + 1)) => {
            let metadata = [(PG_TYPE.to_string(), "oid".to_string())].into();
            DataType::List(std::sync::Arc::new(item.as_ref().clone().with_metadata(metadata)))
        }
        ty => ty.clone(),
    };
    types.iter().enumerate().map(one).collect()
}

/// A value of this type from the text that PostgreSQL reads it from: an array of one.
pub fn read_text(text: &str, ty: &DataType) -> Result<ArrayRef> {
    text::parse(text, ty)?.to_array().map_err(plan_error)
}

/// The parameters in their types.
pub(crate) fn values(types: &[DataType], params: &[Param]) -> Result<Vec<ScalarValue>> {
    if types.len() > params.len() {
        let message = format!("the statement requires {} parameters, found {}", types.len(), params.len());
        return Err(Error::user(message).with_code(Code::InvalidValue));
    }
    let mut values = Vec::with_capacity(params.len());
    for (param, ty) in params.iter().zip(types) {
        values.push(match &param.text {
            None => ScalarValue::try_from(ty).map_err(plan_error)?,
            Some(text) => text::parse(text, ty)?,
        });
    }
    Ok(values)
}

/// Binds `$1`.. from their text in the types that the client declared or the plan wants.
pub(crate) fn bind_text(plan: LogicalPlan, params: &[Param]) -> Result<LogicalPlan> {
    let declared: Vec<_> = params.iter().map(|p| p.ty.clone()).collect();
    let types = types(&plan, &declared)?;
    let values = values(&types, params)?;
    plan.with_param_values(values).map_err(plan_error)
}

/// Binds `$name` from JSON: strings, numbers, booleans, and arrays of them.
pub(crate) fn bind_named(plan: LogicalPlan, params: &BTreeMap<String, Value>) -> Result<LogicalPlan> {
    let types = plan.get_parameter_types().map_err(plan_error)?;
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
    plan.with_param_values(ParamValues::Map(values)).map_err(plan_error)
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
