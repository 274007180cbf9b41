//! What PostgreSQL says by syntax and we by functions: `AT TIME ZONE`, `EXTRACT`, `SIMILAR TO`, aggregates over an order, sets in
//! a SELECT list; and the type of a whole number.

use datafusion::sql::sqlparser::ast::{
    AccessExpr, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, Ident, NamedWindowExpr, ObjectName, Query, Select, SelectItem,
    TableAliasColumnDef, TableFactor, TimezoneInfo, UnaryOperator, Value, WindowFrameBound, WindowSpec, WindowType,
};

use crate::rewrite::{call, cast};

/// A better way to say it.
pub(crate) fn better(expr: &mut Expr) -> Option<Expr> {
    match expr {
        Expr::AtTimeZone { timestamp, time_zone } => {
            Some(call("timezone", vec![time_zone.as_ref().clone(), timestamp.as_ref().clone()]))
        }
        Expr::Extract { field, expr, .. } => {
            let unit = field.to_string().trim_matches('\'').to_lowercase();
            let fraction =
                ["second", "seconds", "epoch", "millisecond", "milliseconds", "julian"].contains(&unit.as_str());
            let name = if fraction { "arus_extract_fraction" } else { "arus_extract" };
            Some(call(name, vec![text(&unit), expr.as_ref().clone()]))
        }
        Expr::UnaryOp { op, expr } => {
            let name = match op {
                UnaryOperator::PGSquareRoot => "sqrt",
                UnaryOperator::PGCubeRoot => "cbrt",
                UnaryOperator::PGAbs => "abs",
                _ => return None,
            };
            Some(call(name, vec![expr.as_ref().clone()]))
        }
        Expr::SimilarTo { negated, expr, pattern, escape_char: None } => {
            let found = call("arus_similar", vec![expr.as_ref().clone(), pattern.as_ref().clone()]);
            Some(if *negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(found) } } else { found })
        }
        Expr::Like { pattern, escape_char: Some(escape), .. }
        | Expr::ILike { pattern, escape_char: Some(escape), .. } => {
            let escape = escape.to_string().trim_matches('\'').to_string();
            with_backslash(pattern, &escape);
            Some(without_escape(expr))
        }
        Expr::CompoundFieldAccess { root, access_chain } => expanded(root, access_chain),
        Expr::Substring { expr, substring_from: Some(from), substring_for: None, .. } if is_text(from) => {
            Some(call("arus_substring_match", vec![expr.as_ref().clone(), from.as_ref().clone()]))
        }
        Expr::Ceil { expr, .. } => Some(call("ceil", vec![expr.as_ref().clone()])),
        Expr::Floor { expr, .. } => Some(call("floor", vec![expr.as_ref().clone()])),
        Expr::Cast { expr, data_type, .. } => of_cast(expr, data_type),
        Expr::TypedString(typed)
            if matches!(typed.data_type, DataType::Timestamp(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone)) =>
        {
            Some(cast(Expr::Value(typed.value.clone()), typed.data_type.clone()))
        }
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) if digits.parse::<i32>().is_ok() => Some(int4(expr.clone())),
            _ => None,
        },
        Expr::Function(function) => of_function(function),
        _ => None,
    }
}

/// A pattern of a literal with another escape character than the planner's.
fn with_backslash(pattern: &mut Expr, escape: &str) {
    let literal = match pattern {
        Expr::Value(value) => match &mut value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    };
    let Some(text) = literal else {
        if escape != "\\" && !escape.is_empty() {
            *pattern = call("replace", vec![pattern.clone(), self::text(escape), self::text("\\")]);
        }
        return;
    };
    if escape != "\\" && !escape.is_empty() {
        let doubled = text.replace('\\', "\\\\");
        *text = doubled.replace(&format!("{escape}{escape}"), "\u{0}").replace(escape, "\\").replace('\u{0}', escape);
    }
}

fn without_escape(expr: &Expr) -> Expr {
    let mut expr = expr.clone();
    if let Expr::Like { escape_char, .. } | Expr::ILike { escape_char, .. } = &mut expr {
        *escape_char = None;
    }
    expr
}

/// `(_pg_expandarray(a)).n` and `(keys).x`: an array's items with their numbers, as pgjdbc looks for keys.
fn expanded(root: &Expr, chain: &[AccessExpr]) -> Option<Expr> {
    let [AccessExpr::Dot(Expr::Identifier(field))] = chain else { return None };
    let inner = match root {
        Expr::Nested(inner) => inner.as_ref(),
        other => other,
    };
    match inner {
        Expr::Function(f) if is_named(f, "_pg_expandarray") && field.value == "n" => {
            Some(Expr::Function(named(f, "arus_subscripts")))
        }
        Expr::Function(f) if is_named(f, "_pg_expandarray") => Some(Expr::Function(f.clone())),
        Expr::CompoundIdentifier(path)
            if field.value == "x" && path.last().is_some_and(|i| i.value.eq_ignore_ascii_case("keys")) =>
        {
            Some(inner.clone())
        }
        _ => None,
    }
}

fn is_named(function: &Function, name: &str) -> bool {
    function.name.0.last().and_then(|p| p.as_ident()).is_some_and(|i| i.value.eq_ignore_ascii_case(name))
}

fn text(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.into()).into())
}

fn is_text(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(v) if matches!(v.value, Value::SingleQuotedString(_)))
}

fn int4(expr: Expr) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr),
        data_type: DataType::Int4(None),
        array: false,
        format: None,
    }
}

/// Takes the type off a whole number that stands for something else: a place, a limit.
pub(crate) fn plain_number(expr: &mut Expr) {
    if let Expr::Cast { kind: CastKind::Cast, expr: inner, data_type: DataType::Int4(None), .. } = expr
        && matches!(inner.as_ref(), Expr::Value(v) if matches!(v.value, Value::Number(..)))
    {
        *expr = inner.as_ref().clone();
    }
}

fn of_cast(expr: &Expr, ty: &DataType) -> Option<Expr> {
    match ty {
        DataType::JSON => Some(call("arus_json", vec![expr.clone()])),
        DataType::JSONB => Some(call("arus_jsonb", vec![expr.clone()])),
        DataType::Uuid => Some(cast(expr.clone(), DataType::Text)),
        _ => None,
    }
}

/// Functions whose whole numbers decide their type.
const TYPED: [&str; 10] =
    ["coalesce", "nullif", "greatest", "least", "sum", "avg", "min", "max", "array_agg", "arus_divide"];

fn named(function: &Function, name: &str) -> Function {
    Function { name: ObjectName::from(vec![Ident::new(name)]), ..function.clone() }
}

fn args(function: &Function) -> Vec<Expr> {
    let FunctionArguments::List(list) = &function.args else { return vec![] };
    list.args
        .iter()
        .filter_map(|a| match a {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Some(e.clone()),
            _ => None,
        })
        .collect()
}

/// `array_agg(x ORDER BY ..)` of what an aggregate over an order orders.
fn collected(function: &Function) -> Option<(Expr, Expr)> {
    let order = function.within_group.first()?.clone();
    let item = order.expr.clone();
    let clauses = vec![FunctionArgumentClause::OrderBy(vec![order])];
    let list = FunctionArgumentList {
        duplicate_treatment: None,
        args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(item.clone()))],
        clauses,
    };
    let known = Expr::IsNotNull(Box::new(item.clone()));
    let filter = match &function.filter {
        Some(filter) => Expr::BinaryOp {
            left: filter.clone(),
            op: datafusion::sql::sqlparser::ast::BinaryOperator::And,
            right: Box::new(known),
        },
        None => known,
    };
    let collected = Function {
        args: FunctionArguments::List(list),
        within_group: vec![],
        filter: Some(Box::new(filter)),
        ..named(function, "array_agg")
    };
    Some((Expr::Function(collected), item))
}

/// Rows before and after in the frame of a window.
fn plain_frame(window: &mut WindowSpec) {
    let Some(frame) = &mut window.window_frame else { return };
    for bound in [Some(&mut frame.start_bound), frame.end_bound.as_mut()].into_iter().flatten() {
        if let WindowFrameBound::Preceding(Some(rows)) | WindowFrameBound::Following(Some(rows)) = bound {
            plain_number(rows);
        }
    }
}

fn of_function(function: &mut Function) -> Option<Expr> {
    if let Some(WindowType::WindowSpec(window)) = &mut function.over {
        plain_frame(window);
    }
    let name = function.name.0.last()?.as_ident()?.value.to_lowercase();
    let first = args(function).first().cloned();
    let better = match name.as_str() {
        "percentile_disc" => Some(call("arus_percentile_disc", vec![collected(function)?.0, first?])),
        "mode" if !function.within_group.is_empty() => Some(call("arus_mode", vec![collected(function)?.0])),
        "every" => Some(Expr::Function(named(function, "bool_and"))),
        "variance" | "var_samp" | "var_pop" | "stddev" | "stddev_samp" | "stddev_pop" => {
            let spread = if name == "variance" { "var_samp" } else { name.as_str() };
            let typed = named(function, "min");
            Some(call("arus_like", vec![Expr::Function(named(function, spread)), Expr::Function(typed)]))
        }
        "json_agg" => Some(call("arus_json_agg", vec![Expr::Function(named(function, "array_agg"))])),
        "jsonb_agg" => Some(call("arus_jsonb_agg", vec![Expr::Function(named(function, "array_agg"))])),
        "ntile" => Some(int4(Expr::Function(plain(function)))),
        "mod" => match args(function).as_slice() {
            [a, b] => Some(Expr::Nested(Box::new(Expr::BinaryOp {
                left: Box::new(a.clone()),
                op: datafusion::sql::sqlparser::ast::BinaryOperator::Modulo,
                right: Box::new(b.clone()),
            }))),
            _ => None,
        },
        "substring" | "substr" => match args(function).as_slice() {
            [_, from] if is_text(from) => Some(call("arus_substring_match", args(function))),
            _ => None,
        },
        _ => None,
    };
    if better.is_none() && !TYPED.contains(&name.as_str()) {
        *function = plain(function);
    }
    better
}

/// The call with whole numbers as they were written: what a function makes of them is its own matter.
fn plain(function: &Function) -> Function {
    let mut function = function.clone();
    if let FunctionArguments::List(list) = &mut function.args {
        for arg in &mut list.args {
            if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg {
                plain_number(expr);
            }
        }
    }
    function
}

/// Functions that give a set, with what gives it as an array.
const SETS: [(&str, &str); 8] = [
    ("generate_subscripts", "arus_subscripts"),
    ("_pg_expandarray", "arus_items"),
    ("arus_subscripts", "arus_subscripts"),
    ("generate_series", "generate_series"),
    ("regexp_matches", "arus_regexp_matches"),
    ("regexp_split_to_table", "regexp_split_to_array"),
    ("string_to_table", "string_to_array"),
    ("json_array_elements_text", "arus_json_elements_text"),
];

/// A set in a SELECT list is a row for each of its items.
pub(crate) fn sets(select: &mut Select) {
    for window in &mut select.named_window {
        if let NamedWindowExpr::WindowSpec(window) = &mut window.1 {
            plain_frame(window);
        }
    }
    for item in &mut select.projection {
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { continue };
        let Expr::Function(function) = &*expr else { continue };
        let Some(name) = function.name.0.last().and_then(|p| p.as_ident()).map(|i| i.value.to_lowercase()) else {
            continue;
        };
        if let Some((_, array)) = SETS.iter().find(|(set, _)| *set == name) {
            *expr = call("unnest", vec![Expr::Function(named(function, array))]);
        }
    }
    // A row for each place of an order, not an order of its own.
    if let datafusion::sql::sqlparser::ast::GroupByExpr::Expressions(items, _) = &mut select.group_by {
        items.iter_mut().for_each(plain_number);
    }
}

/// Places in ORDER BY.
pub(crate) fn places(query: &mut Query) {
    if let Some(order) = &mut query.order_by
        && let datafusion::sql::sqlparser::ast::OrderByKind::Expressions(items) = &mut order.kind
    {
        items.iter_mut().for_each(|item| plain_number(&mut item.expr));
    }
}

/// `generate_series(1, 5) AS i` has a column of that name.
pub(crate) fn name_series(factor: &mut TableFactor) {
    let (name, alias) = match factor {
        TableFactor::Table { name, alias: Some(alias), args: Some(_), .. } => (name, alias),
        TableFactor::Function { name, alias: Some(alias), .. } => (name, alias),
        _ => return,
    };
    let Some(function) = name.0.last().and_then(|p| p.as_ident()).map(|i| i.value.to_lowercase()) else { return };
    if function == "generate_series" && alias.columns.is_empty() {
        alias.columns = vec![TableAliasColumnDef { name: alias.name.clone(), data_type: None }];
    }
}
