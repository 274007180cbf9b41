//! Expressions, one row at a time, by walking the tree.
//!
//! AND, OR and CASE stop as soon as their value is known. What is not known here is [`Stop::Unsupported`], never a guess.

use std::cmp::Ordering;

use arus_core::expr::Expr;
use arus_core::{LogicalType, TypeKind};

use super::cast::cast;
use super::numeric::{absolute, arithmetic, negated};
use super::strings;
use super::value::Value;

/// Why there is no value.
#[derive(Debug, Clone)]
pub enum Stop {
    /// This row fails.
    Row(String),
    /// The interpreter does not know this.
    Unsupported(String),
}

pub(crate) type Evaluated<T> = Result<T, Stop>;

pub(crate) fn unsupported<T>(what: impl Into<String>) -> Evaluated<T> {
    Err(Stop::Unsupported(what.into()))
}

pub(crate) fn evaluate(e: &Expr, row: &[Value]) -> Evaluated<Value> {
    match e {
        Expr::Column { index, .. } => match row.get(*index) {
            Some(Value::Failed(reason)) => Err(Stop::Row(reason.clone())),
            Some(value) => Ok(value.clone()),
            None => unsupported(format!("column {index} of {}", row.len())),
        },
        Expr::Literal { value, .. } => Ok(value.into()),
        Expr::And(args) => junction(args, row, false),
        Expr::Or(args) => junction(args, row, true),
        Expr::Case { branches, otherwise, .. } => {
            for (condition, value) in branches {
                if is_true(&evaluate(condition, row)?) {
                    return evaluate(value, row);
                }
            }
            evaluate(otherwise, row)
        }
        Expr::Cast { input, ty, safe } => {
            let value = match evaluate(input, row) {
                Err(Stop::Row(_)) if *safe => return unsupported("TRY_CAST of what fails"),
                other => other?,
            };
            match cast(value, &input.ty().kind, &ty.kind) {
                Err(Stop::Row(_)) if *safe => Ok(Value::Null),
                other => other,
            }
        }
        Expr::Field { input, index, .. } => match evaluate(input, row)? {
            Value::Row(values) => Ok(values.into_iter().nth(*index).unwrap_or(Value::Null)),
            Value::Null => Ok(Value::Null),
            other => unsupported(format!("a field of {other}")),
        },
        Expr::Call { function, args, ty } => {
            let values = args.iter().map(|a| evaluate(a, row)).collect::<Evaluated<Vec<_>>>()?;
            let types: Vec<LogicalType> = args.iter().map(Expr::ty).collect();
            call(function, &values, &types, ty)
        }
        #[expect(unreachable_patterns, reason = "the tree grows")]
        other => unsupported(format!("the expression {other:?}")),
    }
}

pub(crate) fn is_true(value: &Value) -> bool {
    matches!(value, Value::Boolean(true))
}

/// AND stops at false, OR at true; NULL where nothing stops it and one operand is NULL.
fn junction(args: &[Expr], row: &[Value], stop: bool) -> Evaluated<Value> {
    let mut null = false;
    for arg in args {
        match evaluate(arg, row)? {
            Value::Boolean(v) if v == stop => return Ok(Value::Boolean(stop)),
            Value::Boolean(_) => {}
            _ => null = true,
        }
    }
    Ok(if null { Value::Null } else { Value::Boolean(!stop) })
}

fn call(function: &str, args: &[Value], types: &[LogicalType], ty: &LogicalType) -> Evaluated<Value> {
    // What sees NULL as a value.
    let truth = |test: fn(&Value) -> bool| Ok(Value::Boolean(args.first().is_some_and(test)));
    match function {
        "IS NULL" | "IS UNKNOWN" => return truth(Value::is_null),
        "IS NOT NULL" | "IS NOT UNKNOWN" => return truth(|v| !v.is_null()),
        "IS TRUE" => return truth(|v| matches!(v, Value::Boolean(true))),
        "IS NOT TRUE" => return truth(|v| !matches!(v, Value::Boolean(true))),
        "IS FALSE" => return truth(|v| matches!(v, Value::Boolean(false))),
        "IS NOT FALSE" => return truth(|v| !matches!(v, Value::Boolean(false))),
        "IS DISTINCT FROM" | "IS NOT DISTINCT FROM" => {
            let same = match (&args[0], &args[1]) {
                (Value::Null, Value::Null) => true,
                (Value::Null, _) | (_, Value::Null) => false,
                (a, b) => order(a, b, types)?.is_some_and(Ordering::is_eq),
            };
            return Ok(Value::Boolean(same == (function == "IS NOT DISTINCT FROM")));
        }
        _ => {}
    }
    if function == "ARRAY" {
        return Ok(Value::Array(args.to_vec()));
    }
    if args.iter().any(Value::is_null) {
        // The others that are known here are NULL as soon as an argument is.
        return if KNOWN.contains(&function) { Ok(Value::Null) } else { unsupported(format!("function {function}")) };
    }
    let compared = |test: fn(Ordering) -> bool| -> Evaluated<Value> {
        Ok(Value::Boolean(order(&args[0], &args[1], types)?.is_some_and(test)))
    };
    match function {
        "=" => compared(Ordering::is_eq),
        // NaN differs from all.
        "<>" => Ok(Value::Boolean(order(&args[0], &args[1], types)?.is_none_or(Ordering::is_ne))),
        "<" => compared(Ordering::is_lt),
        "<=" => compared(Ordering::is_le),
        ">" => compared(Ordering::is_gt),
        ">=" => compared(Ordering::is_ge),
        "NOT" => match &args[0] {
            Value::Boolean(v) => Ok(Value::Boolean(!v)),
            other => unsupported(format!("NOT {other}")),
        },
        "+" | "-" | "*" | "/" | "%" => arithmetic(function, &args[0], &args[1], types, &ty.kind),
        "NEGATE" => negated(&args[0], &ty.kind),
        "ABS" => absolute(&args[0], &ty.kind),
        "GREATEST" | "LEAST" => {
            let mut best = args[0].clone();
            for arg in &args[1..] {
                let order = match arg.compare(&best) {
                    Some(order) if types.iter().all(|t| t.kind == types[0].kind) => order,
                    _ => return unsupported(function),
                };
                if order == (if function == "GREATEST" { Ordering::Greater } else { Ordering::Less }) {
                    best = arg.clone();
                }
            }
            Ok(best)
        }
        "CARDINALITY" => match &args[0] {
            Value::Array(elements) => Ok(Value::Integer(elements.len() as i64)),
            other => unsupported(format!("CARDINALITY of {other}")),
        },
        "ITEM" => match (&args[0], &args[1]) {
            (Value::Array(elements), Value::Integer(at)) if *at > 0 => {
                Ok(elements.get(*at as usize - 1).cloned().unwrap_or(Value::Null))
            }
            (a, b) => unsupported(format!("{a}[{b}]")),
        },
        _ => strings::call(function, args),
    }
}

/// Functions whose value is NULL when an argument is.
const KNOWN: [&str; 28] = [
    "CARDINALITY",
    "ITEM",
    "=",
    "<>",
    "<",
    "<=",
    ">",
    ">=",
    "NOT",
    "+",
    "-",
    "*",
    "/",
    "%",
    "NEGATE",
    "ABS",
    "GREATEST",
    "LEAST",
    "||",
    "CONCAT",
    "CHAR_LENGTH",
    "UPPER",
    "LOWER",
    "SUBSTRING",
    "TRIM",
    "REPLACE",
    "LIKE",
    "POSITION",
];

/// `None`: not comparable (NaN).
fn order(a: &Value, b: &Value, types: &[LogicalType]) -> Evaluated<Option<Ordering>> {
    let comparable = match (&types[0].kind, &types[1].kind) {
        (TypeKind::Decimal { scale: s, .. }, TypeKind::Decimal { scale: t, .. }) => s == t,
        (a, b) if a.is_string() && b.is_string() => true,
        (TypeKind::Row(_) | TypeKind::Array(_) | TypeKind::Map(..) | TypeKind::Multiset(_), _) => false,
        (a, b) => {
            let plain = |k: &TypeKind| k.clone().not_null().without_time_attribute().kind;
            plain(a) == plain(b)
        }
    };
    if !comparable {
        return unsupported(format!("a comparison of {} and {}", types[0], types[1]));
    }
    Ok(a.compare(b))
}
