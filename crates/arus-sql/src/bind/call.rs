//! Calls: functions, aggregates, and conditionals that are lowered to CASE.

use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::types::TypeKind;
use arus_core::{Datum, Result};

use super::Binder;
use super::expr::Cx;
use super::literal::string_literal;
use crate::ast::{ArgValue, Call, Span};

/// `YEAR(x)` is `EXTRACT(YEAR FROM x)`.
const EXTRACT_SHORT: [(&str, &str); 10] = [
    ("YEAR", "YEAR"),
    ("QUARTER", "QUARTER"),
    ("MONTH", "MONTH"),
    ("WEEK", "WEEK"),
    ("DAYOFYEAR", "DOY"),
    ("DAYOFMONTH", "DAY"),
    ("DAYOFWEEK", "DOW"),
    ("HOUR", "HOUR"),
    ("MINUTE", "MINUTE"),
    ("SECOND", "SECOND"),
];

/// Functions of Flink that are not there yet.
const LATER: [&str; 33] = [
    "ROW_NUMBER",
    "RANK",
    "DENSE_RANK",
    "LEAD",
    "LAG",
    "NTILE",
    "CUME_DIST",
    "PERCENT_RANK",
    "SUM0",
    "BITMAP_AND",
    "BITMAP_ANDNOT",
    "BITMAP_AND_AGG",
    "BITMAP_AND_CARDINALITY_AGG",
    "BITMAP_BUILD",
    "BITMAP_BUILD_AGG",
    "BITMAP_BUILD_CARDINALITY_AGG",
    "BITMAP_CARDINALITY",
    "BITMAP_FROM_BYTES",
    "BITMAP_OR",
    "BITMAP_OR_AGG",
    "BITMAP_OR_CARDINALITY_AGG",
    "BITMAP_TO_ARRAY",
    "BITMAP_TO_BYTES",
    "BITMAP_TO_STRING",
    "BITMAP_XOR",
    "BITMAP_XOR_AGG",
    "BITMAP_XOR_CARDINALITY_AGG",
    "OBJECT_OF",
    "OBJECT_UPDATE",
    "PARSE_JSON",
    "TRY_PARSE_JSON",
    "SOURCE_WATERMARK",
    "ML_PREDICT",
];

/// Group windows of the old style.
const LEGACY_WINDOWS: [&str; 12] = [
    "TUMBLE_START",
    "TUMBLE_END",
    "TUMBLE_ROWTIME",
    "TUMBLE_PROCTIME",
    "HOP_START",
    "HOP_END",
    "HOP_ROWTIME",
    "HOP_PROCTIME",
    "SESSION_START",
    "SESSION_END",
    "SESSION_ROWTIME",
    "SESSION_PROCTIME",
];

impl Binder<'_> {
    pub(crate) fn call(&self, call: &Call, cx: &mut Cx<'_>) -> Result<Expr> {
        let span = call.span;
        let [name] = call.name.parts.as_slice() else {
            let name = call.name.span.of(self.text);
            return Err(self
                .wrong(Code::UndefinedFunction, format!("function '{name}' does not exist"), call.name.span)
                .with_hint("user-defined functions are not supported yet; built-in ones have no database"));
        };
        let name_span = name.span;
        let name = name.value.to_ascii_uppercase();
        self.refuse_call(&name, call)?;
        if name == "CURRENT_DATABASE" && call.args.is_empty() {
            let database = arus_core::Datum::String(self.planner.current_database.into());
            return Ok(Expr::literal(database, arus_core::types::TypeKind::STRING.not_null()));
        }
        if LEGACY_WINDOWS.contains(&name.as_str()) {
            return self.group_window_property(&name, call, cx);
        }
        if let Some(expr) = self.aggregate_call(&name, call, cx)? {
            return Ok(expr);
        }
        if let Some(expr) = self.grouping_call(&name, call, cx)? {
            return Ok(expr);
        }
        let clauses = [
            (call.star, "*"),
            (call.distinct, "DISTINCT"),
            (call.filter.is_some(), "FILTER"),
            (call.ignore_nulls.is_some(), "IGNORE NULLS or RESPECT NULLS"),
        ];
        if let Some((_, what)) = clauses.iter().find(|(there, _)| *there) {
            return Err(self.wrong(
                Code::TypeMismatch,
                format!("{what} in a call of {name}, which is no aggregate"),
                span,
            ));
        }
        let mut args = vec![];
        for arg in &call.args {
            if let Some(named) = &arg.name {
                return Err(self.unsupported(format!("the named argument '{}' of {name}", named.value), arg.span));
            }
            match &arg.value {
                ArgValue::Expr(e) => args.push((self.expr(e, cx)?, e.span)),
                ArgValue::Default => {
                    return Err(self.unsupported(format!("DEFAULT as an argument of {name}"), arg.span));
                }
                ArgValue::Table(_) | ArgValue::Descriptor(_) => {
                    return Err(self
                        .wrong(Code::TypeMismatch, format!("a table as an argument of {name}"), arg.span)
                        .with_hint("table functions stand in FROM"));
                }
            }
        }
        if let Some(expr) = self.conditional(&name, &args, span)? {
            return Ok(expr);
        }
        let mut args: Vec<Expr> = args.into_iter().map(|a| a.0).collect();
        if name == "CURRENT_DATABASE" && args.is_empty() {
            return Ok(Expr::literal(
                Datum::String(self.planner.current_database.to_owned()),
                TypeKind::STRING.not_null(),
            ));
        }
        if let Some((_, unit)) = EXTRACT_SHORT.iter().find(|(short, _)| *short == name)
            && args.len() == 1
        {
            args.insert(0, string_literal(unit));
            return self.resolve("EXTRACT", args, span);
        }
        // A wrong name is marked alone; wrong arguments mark the whole call.
        self.resolve(&name, args, span)
            .map_err(|e| if e.code() == Code::UndefinedFunction { e.with_location(self.at(name_span)) } else { e })
    }

    fn refuse_call(&self, name: &str, call: &Call) -> Result<()> {
        let span = call.span;
        if call.over.is_some() {
            return Err(self.unsupported("OVER", span));
        }
        if let Some(order) = call.order_by.first() {
            return Err(self.unsupported("ORDER BY in a call", order.span));
        }
        if LATER.contains(&name) {
            let error = self.unsupported(format!("function {name}"), call.name.span);
            return Err(match name {
                "PARSE_JSON" | "TRY_PARSE_JSON" => {
                    error.with_hint("there is no type VARIANT: JSON_VALUE and JSON_QUERY read a text of JSON")
                }
                _ if name.starts_with("BITMAP_") => {
                    error.with_hint("there is no type BITMAP: COUNT(DISTINCT x) and ARRAY_AGG(DISTINCT x) are exact")
                }
                "OBJECT_OF" | "OBJECT_UPDATE" => {
                    error.with_hint("there are no structured types: ROW(..) has fields without a class")
                }
                _ => error,
            });
        }
        if matches!(name, "TUMBLE" | "HOP" | "SESSION" | "CUMULATE") {
            return Err(self.unsupported(format!("the group window {name} in an expression"), span).with_hint(
                "it stands in GROUP BY alone; ask for its bounds with TUMBLE_START(..) and TUMBLE_END(..), or use the window table function in FROM",
            ));
        }
        Ok(())
    }

    /// IF, COALESCE, NULLIF and IFNULL as CASE.
    fn conditional(&self, name: &str, args: &[(Expr, Span)], span: Span) -> Result<Option<Expr>> {
        let arity = |expected: &str, fits: bool| {
            if fits {
                return Ok(());
            }
            Err(self.wrong(Code::TypeMismatch, format!("{name} expects {expected}, found {}", args.len()), span))
        };
        let no_nulls = || match args.iter().find(|a| a.0.ty().kind == TypeKind::Null) {
            Some((_, at)) => Err(self.illegal_null(*at)),
            None => Ok(()),
        };
        let not_null = |e: &Expr| self.resolve("IS NOT NULL", vec![e.clone()], span);
        Ok(Some(match name {
            "IF" => {
                arity("a condition and two values", args.len() == 3)?;
                no_nulls()?;
                let condition = self.boolean(args[0].0.clone(), "IF", args[0].1)?;
                // As in Flink a nullable condition makes the result nullable.
                let nullable = args.iter().any(|a| a.0.ty().nullable);
                self.case_of(vec![condition], vec![args[1].0.clone(), args[2].0.clone()], nullable, name, span)?
            }
            "COALESCE" | "IFNULL" => {
                let fits = if name == "IFNULL" { args.len() == 2 } else { !args.is_empty() };
                arity(if name == "IFNULL" { "two values" } else { "at least one value" }, fits)?;
                // A bare NULL is never the value.
                let known = args.iter().filter(|a| a.0.ty().kind != TypeKind::Null);
                let values: Vec<Expr> = known.map(|a| a.0.clone()).collect();
                if values.is_empty() {
                    return Err(self.illegal_null(span));
                }
                let last = values.len() - 1;
                let conditions = values[..last].iter().map(not_null).collect::<Result<Vec<_>>>()?;
                let nullable = values.iter().all(|v| v.ty().nullable);
                self.case_of(conditions, values, nullable, name, span)?
            }
            "NULLIF" => {
                arity("two values", args.len() == 2)?;
                no_nulls()?;
                let equal = self.resolve("=", vec![args[0].0.clone(), args[1].0.clone()], span)?;
                let value = args[0].0.clone();
                let ty = value.ty().without_time_attribute().with_nullable(true);
                let null = Expr::literal(Datum::Null, ty.clone());
                self.fold(Expr::Case { branches: vec![(equal, null)], otherwise: Box::new(value), ty })
            }
            _ => return Ok(None),
        }))
    }
}
