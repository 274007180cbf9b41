//! Calls of aggregate functions: their arguments, DISTINCT, FILTER, and what is rewritten to simpler ones as in Flink.

use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::function::{AggregateFunction, Argument};
use arus_core::types::{LogicalType, TypeKind};
use arus_core::{Datum, Result};

use super::Binder;
use super::expr::{AGGREGATE_BASE, Cx, FoundCall};
use crate::ast::{ArgValue, Call, Span};

/// Over the whole population, or over a sample of it: then n values count as n - 1.
#[derive(Clone, Copy)]
struct Variance {
    sample: bool,
    root: bool,
}

fn variance(name: &str) -> Option<Variance> {
    Some(match name {
        "VAR_POP" => Variance { sample: false, root: false },
        "VAR_SAMP" | "VARIANCE" => Variance { sample: true, root: false },
        "STDDEV_POP" => Variance { sample: false, root: true },
        "STDDEV_SAMP" | "STDDEV" => Variance { sample: true, root: true },
        _ => return None,
    })
}

impl Binder<'_> {
    /// The value of an aggregate call; `None` where `name` is no aggregate.
    pub(crate) fn aggregate_call(&self, name: &str, call: &Call, cx: &mut Cx<'_>) -> Result<Option<Expr>> {
        let functions = self.planner.functions;
        let variance = variance(name);
        // Asked without arguments first: those of a scalar function are bound elsewhere.
        if variance.is_none() && functions.resolve_aggregate(name, &[]).is_none() {
            return Ok(None);
        }
        let span = call.span;
        self.check_form(name, call)?;
        self.check_place(name, span, cx)?;
        let named = cx.named.len();
        let mut args = vec![];
        for arg in &call.args {
            match &arg.value {
                ArgValue::Expr(e) => {
                    let expr = self.expr(e, cx)?;
                    if expr.ty().kind == TypeKind::Null {
                        return Err(self.illegal_null(e.span));
                    }
                    args.push(expr);
                }
                _ => return Err(self.wrong(Code::TypeMismatch, format!("{name} takes a value"), arg.span)),
            }
        }
        let filter = match &call.filter {
            Some(e) => {
                let condition = self.expr(e, cx)?;
                let condition = self.boolean(condition, "FILTER", e.span)?;
                Some(self.resolve("IS TRUE", vec![condition], e.span)?)
            }
            None => None,
        };
        // Columns inside an aggregate need not be grouped.
        cx.named.truncate(named);
        cx.leave_aggregate();
        let found = FoundCall {
            function: AggregateFunction::Count,
            args,
            distinct: call.distinct,
            filter,
            ty: TypeKind::BigInt.not_null(),
        };
        if let Some(variance) = variance {
            return self.variance(variance, name, found, span, cx).map(Some);
        }
        let name = if name == "ARRAY_AGG" && call.ignore_nulls == Some(true) { "ARRAY_AGG_IGNORE_NULLS" } else { name };
        let found = self.resolve_aggregate(name, found, span, cx)?;
        Ok(Some(place(found, cx)))
    }

    /// JSON_ARRAYAGG and JSON_OBJECTAGG; `args` gives their arguments as texts.
    pub(crate) fn json_aggregate(
        &self,
        name: &str,
        args: impl FnOnce(&mut Cx<'_>) -> Result<Vec<Expr>>,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Expr> {
        self.check_place(name, span, cx)?;
        let named = cx.named.len();
        let args = args(cx)?;
        cx.named.truncate(named);
        cx.leave_aggregate();
        let ty = TypeKind::STRING.not_null();
        let found = FoundCall { function: AggregateFunction::JsonArrayAgg, args, distinct: false, filter: None, ty };
        let found = self.resolve_aggregate(name, found, span, cx)?;
        Ok(place(found, cx))
    }

    fn check_form(&self, name: &str, call: &Call) -> Result<()> {
        let span = call.span;
        if call.star && name != "COUNT" {
            return Err(self.wrong(Code::TypeMismatch, format!("{name}(*): only COUNT takes *"), span));
        }
        if call.ignore_nulls.is_some() && name != "ARRAY_AGG" {
            return Err(self
                .wrong(
                    Code::TypeMismatch,
                    format!("cannot specify IGNORE NULLS or RESPECT NULLS following '{name}'"),
                    span,
                )
                .with_hint(match name {
                    "FIRST_VALUE" | "LAST_VALUE" => "NULLs are passed over anyway",
                    _ => "only ARRAY_AGG takes it",
                }));
        }
        Ok(())
    }

    fn check_place(&self, name: &str, span: Span, cx: &mut Cx<'_>) -> Result<()> {
        if let Some(clause) = cx.no_aggregates {
            return Err(self.wrong(Code::TypeMismatch, format!("aggregate {name} is not allowed in {clause}"), span));
        }
        if !cx.enter_aggregate() {
            return Err(self.wrong(Code::TypeMismatch, format!("aggregate {name} inside another aggregate"), span));
        }
        Ok(())
    }

    /// Types settled by the function catalog, casts inserted.
    fn resolve_aggregate(&self, name: &str, found: FoundCall, span: Span, cx: &Cx<'_>) -> Result<FoundCall> {
        let arguments: Vec<Argument> = found
            .args
            .iter()
            .map(|a| Argument {
                ty: a.ty().without_time_attribute(),
                literal: match a {
                    Expr::Literal { value, .. } => Some(value.clone()),
                    _ => None,
                },
            })
            .collect();
        let resolved = self
            .planner
            .functions
            .resolve_aggregate(name, &arguments)
            .ok_or_else(|| arus_core::Error::bug(format!("{name} is no aggregate")))?
            .map_err(|e| self.locate(e, span))?;
        let one_value = found.args.first().map(Expr::ty);
        if let Some(ty) = one_value.filter(|_| found.distinct)
            && (ty.kind.is_binary() || matches!(ty.kind, TypeKind::Map(..) | TypeKind::Row(_) | TypeKind::Multiset(_)))
        {
            return Err(self
                .unsupported(format!("{name}(DISTINCT ..) of {}", ty.kind), span)
                .with_hint("Flink has no plan for it either: CAST the value to STRING"));
        }
        let args = found.args.into_iter().zip(&resolved.arg_types).map(|(a, ty)| self.coerce(a, ty)).collect();
        let mut ty = resolved.return_type;
        // Without GROUP BY there is a value even when there was no row to aggregate; a filter can leave none, too.
        use AggregateFunction::{Collect, Count, JsonArrayAgg, JsonObjectAgg};
        let always = matches!(resolved.function, Count | Collect | JsonArrayAgg | JsonObjectAgg);
        ty.nullable |= !always && (cx.global || found.filter.is_some());
        Ok(FoundCall { function: resolved.function, args, ty, ..found })
    }

    /// Flink's rewrite: the sum of squared differences by Welford's method over the count, in DOUBLE.
    fn variance(&self, of: Variance, name: &str, found: FoundCall, span: Span, cx: &mut Cx<'_>) -> Result<Expr> {
        let ty = match found.args.as_slice() {
            [arg] if arg.ty().kind.is_numeric() => self.resolve_aggregate("AVG", found.clone(), span, cx)?.ty,
            args => {
                let types: Vec<String> = args.iter().map(|a| a.ty().kind.to_string()).collect();
                return Err(self
                    .wrong(
                        Code::TypeMismatch,
                        format!("cannot apply '{name}' to arguments of type ({})", types.join(", ")),
                        span,
                    )
                    .with_hint(format!("supported: {name}(<NUMERIC>)")));
            }
        };
        let m2 = FoundCall { function: AggregateFunction::WelfordM2, ty: TypeKind::Double.nullable(), ..found.clone() };
        let m2 = place(m2, cx);
        let count = place(found, cx);
        let whole = |value: i64| Expr::literal(Datum::BigInt(value), TypeKind::BigInt.not_null());
        let divisor = if of.sample {
            let one = self.resolve("=", vec![count.clone(), whole(1)], span)?;
            let ty = TypeKind::BigInt.nullable();
            let less = self.resolve("-", vec![count, whole(1)], span)?;
            let null = Expr::literal(Datum::Null, ty.clone());
            Expr::Case { branches: vec![(one, null)], otherwise: Box::new(less), ty }
        } else {
            count
        };
        let mut value = self.resolve("/", vec![m2, divisor], span)?;
        if of.root {
            let half = Expr::literal(Datum::Decimal(5), TypeKind::Decimal { precision: 2, scale: 1 }.not_null());
            value = self.resolve("POWER", vec![value, half], span)?;
        }
        // Of a sample of one there is none: Flink says NOT NULL there, too.
        let ty = LogicalType { nullable: ty.nullable || of.sample, ..ty };
        Ok(if value.ty().kind == ty.kind { value } else { Expr::Cast { input: Box::new(value), ty, safe: false } })
    }
}

/// The column that will hold the call, computed once however often it stands there.
fn place(found: FoundCall, cx: &mut Cx<'_>) -> Expr {
    let ty = found.ty.clone();
    let index = match cx.calls.iter().position(|c| *c == found) {
        Some(index) => index,
        None => {
            cx.calls.push(found);
            cx.calls.len() - 1
        }
    };
    Expr::column(AGGREGATE_BASE + index, ty)
}
