//! UNION, INTERSECT and EXCEPT, rewritten as Flink does: DISTINCT is a GROUP BY, INTERSECT and EXCEPT are a semi and an
//! anti join of whole rows, their ALL forms count markers over UNION ALL and repeat each row as often as it is left.

use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::function::AggregateFunction;
use arus_core::plan::{AggregateCall, TableFunction};
use arus_core::schema::{Column, RowSchema};
use arus_core::types::{LogicalType, TypeKind};
use arus_core::{Datum, Result};

use super::Binder;
use super::query::Expected;
use super::types::same_values;
use crate::ast::{SetExpr, SetOp, SetOperator, Span};
use crate::rel::{Rel, RelOp, identity};

impl Binder<'_> {
    pub(crate) fn set_op(&self, op: &SetOp, expected: Expected<'_>) -> Result<Rel> {
        match (op.op, op.all) {
            (SetOperator::Union, all) => {
                let mut inputs = vec![];
                for side in [&op.left, &op.right] {
                    self.union_inputs(side, !all, expected, &mut inputs)?;
                }
                let (schema, inputs) = self.unify(inputs, if all { "UNION ALL" } else { "UNION" })?;
                let rel = Rel { schema, ..Rel::union(inputs) };
                if all { Ok(rel) } else { self.distinct(rel) }
            }
            (SetOperator::Intersect, false) => {
                let (left, right) = self.sides(op, "INTERSECT", expected)?;
                self.distinct(semi_join(left, right, false))
            }
            (SetOperator::Except, false) => {
                let (left, right) = self.sides(op, "EXCEPT", expected)?;
                self.distinct(semi_join(left, right, true))
            }
            (SetOperator::Intersect, true) => {
                let (left, right) = self.sides(op, "INTERSECT ALL", expected)?;
                self.intersect_all(left, right, op.span)
            }
            (SetOperator::Except, true) => {
                let (left, right) = self.sides(op, "EXCEPT ALL", expected)?;
                self.except_all(left, right, op.span)
            }
        }
    }

    /// Unions inside a union are its inputs; a UNION takes those of a UNION, too.
    fn union_inputs(
        &self,
        side: &SetExpr,
        distinct: bool,
        expected: Expected<'_>,
        inputs: &mut Vec<(Rel, Span)>,
    ) -> Result<()> {
        match side {
            SetExpr::SetOp(op) if op.op == SetOperator::Union && (op.all || distinct) => {
                self.union_inputs(&op.left, distinct, expected, inputs)?;
                self.union_inputs(&op.right, distinct, expected, inputs)
            }
            _ => {
                inputs.push((self.set_expr(side, expected)?, side.span()));
                Ok(())
            }
        }
    }

    fn sides(&self, op: &SetOp, what: &str, expected: Expected<'_>) -> Result<(Rel, Rel)> {
        let mut inputs = vec![];
        for side in [&op.left, &op.right] {
            inputs.push((self.set_expr(side, expected)?, side.span()));
        }
        let (schema, inputs) = self.unify(inputs, what)?;
        let mut inputs = inputs.into_iter();
        match (inputs.next(), inputs.next()) {
            (Some(left), Some(right)) => Ok((Rel { schema, ..left }, right)),
            _ => Err(arus_core::Error::bug("a set operation has two sides")),
        }
    }

    /// Inputs whose columns get one type; together they have the names of the first.
    fn unify(&self, inputs: Vec<(Rel, Span)>, what: &str) -> Result<(RowSchema, Vec<Rel>)> {
        let width = inputs[0].0.schema.len();
        if let Some((other, span)) = inputs.iter().find(|(r, _)| r.schema.len() != width) {
            return Err(self.wrong(
                Code::TypeMismatch,
                format!("{what} of {width} and {} columns", other.schema.len()),
                *span,
            ));
        }
        let mut columns = vec![];
        for i in 0..width {
            let types: Vec<LogicalType> = inputs.iter().map(|(r, _)| r.schema.columns()[i].ty.clone()).collect();
            let name = inputs[0].0.schema.columns()[i].name.clone();
            let nullable = types.iter().any(|t| t.nullable);
            let same = types.iter().all(|t| t.kind == types[0].kind);
            let ty = if same {
                types[0].clone()
            } else {
                let plain: Vec<LogicalType> = types.iter().map(|t| t.clone().without_time_attribute()).collect();
                self.planner.functions.common_type(&plain).ok_or_else(|| {
                    let other = types.iter().find(|t| t.kind != types[0].kind);
                    self.wrong(
                        Code::TypeMismatch,
                        format!(
                            "column '{name}' of {what} is {} here and {} there",
                            types[0].kind,
                            other.map_or_else(String::new, |t| t.kind.to_string())
                        ),
                        inputs[1].1,
                    )
                    .with_hint("CAST one of them")
                })?
            };
            columns.push(Column { name, ty: ty.with_nullable(nullable) });
        }
        let schema = RowSchema::new(columns);
        let unified = inputs.into_iter().map(|(rel, _)| {
            let fits = rel.schema.types().zip(schema.types()).all(|(a, b)| same_values(a, b));
            if fits {
                return rel;
            }
            let names: Vec<String> = schema.columns().iter().map(|c| c.name.clone()).collect();
            let projection = schema.types().enumerate().map(|(i, ty)| self.coerce(rel.column(i), ty)).collect();
            rel.project(projection, &names)
        });
        let unified = unified.collect();
        Ok((schema, unified))
    }

    /// Each row as often as the side that has it less often.
    fn intersect_all(&self, left: Rel, right: Rel, span: Span) -> Result<Rel> {
        let width = left.schema.len();
        let there = || Expr::literal(Datum::Boolean(true), TypeKind::Boolean.nullable());
        let absent = || Expr::literal(Datum::Null, TypeKind::Boolean.nullable());
        let markers = ["vcol_left_marker", "vcol_right_marker"];
        let both = Rel::union(vec![
            marked(left, vec![there(), absent()], &markers),
            marked(right, vec![absent(), there()], &markers),
        ]);
        let count = |argument: usize, name: &str| AggregateCall {
            function: AggregateFunction::Count,
            args: vec![argument],
            distinct: false,
            filter: None,
            ty: TypeKind::BigInt.not_null(),
            name: name.to_string(),
        };
        let counted = aggregate(both, width, vec![count(width, "vcol_left_cnt"), count(width + 1, "vcol_right_cnt")]);
        let (l, r) = (counted.column(width), counted.column(width + 1));
        let one = || Expr::literal(Datum::Int(1), TypeKind::Int.not_null());
        let condition = super::and(vec![
            self.resolve(">=", vec![l.clone(), one()], span)?,
            self.resolve(">=", vec![r.clone(), one()], span)?,
        ]);
        let more = self.resolve(">", vec![l.clone(), r.clone()], span)?;
        let ty = TypeKind::BigInt.not_null();
        let least = Expr::Case { branches: vec![(more, r)], otherwise: Box::new(l), ty };
        Ok(replicated(counted.filter(condition), width, least))
    }

    /// Each row as often as the left side has it more often than the right.
    fn except_all(&self, left: Rel, right: Rel, span: Span) -> Result<Rel> {
        let width = left.schema.len();
        let number = |n: i64| vec![Expr::literal(Datum::BigInt(n), TypeKind::BigInt.not_null())];
        let marker = ["vcol_marker"];
        let both = Rel::union(vec![marked(left, number(1), &marker), marked(right, number(-1), &marker)]);
        let sum = AggregateCall {
            function: AggregateFunction::Sum,
            args: vec![width],
            distinct: false,
            filter: None,
            ty: TypeKind::BigInt.not_null(),
            name: "sum_vcol_marker".into(),
        };
        let summed = aggregate(both, width, vec![sum]);
        let left_over = summed.column(width);
        let none = Expr::literal(Datum::BigInt(0), TypeKind::BigInt.not_null());
        let condition = self.resolve(">", vec![left_over.clone(), none], span)?;
        Ok(replicated(summed.filter(condition), width, left_over))
    }
}

fn semi_join(left: Rel, right: Rel, anti: bool) -> Rel {
    let schema: RowSchema = left
        .schema
        .columns()
        .iter()
        .map(|c| Column { name: c.name.clone(), ty: c.ty.clone().without_time_attribute() })
        .collect();
    Rel { op: RelOp::SemiJoin { left: Box::new(left), right: Box::new(right), anti }, schema }
}

/// The rows with markers behind them.
fn marked(rel: Rel, markers: Vec<Expr>, names: &[&str]) -> Rel {
    let columns = rel.schema.columns().iter().map(|c| c.name.clone());
    let names: Vec<String> = columns.chain(names.iter().map(|n| n.to_string())).collect();
    let projection = identity(&rel.schema).into_iter().chain(markers).collect();
    rel.project(projection, &names)
}

/// Grouped by the first `width` columns.
fn aggregate(input: Rel, width: usize, calls: Vec<AggregateCall>) -> Rel {
    let keys = input.schema.columns()[..width].iter();
    let schema = keys
        .map(|c| Column { name: c.name.clone(), ty: c.ty.clone().without_time_attribute() })
        .chain(calls.iter().map(|c| Column { name: c.name.clone(), ty: c.ty.clone() }))
        .collect();
    Rel { op: RelOp::Aggregate { input: Box::new(input), keys: (0..width).collect(), calls, ttl_ms: None }, schema }
}

/// The first `width` columns as often as `times` says.
fn replicated(rel: Rel, width: usize, times: Expr) -> Rel {
    let names: Vec<String> = rel.schema.columns()[..width].iter().map(|c| c.name.clone()).collect();
    let counted: Vec<String> = std::iter::once("$f0".to_string()).chain(names.iter().cloned()).collect();
    let projection = std::iter::once(times).chain((0..width).map(|i| rel.column(i))).collect();
    let input = rel.project(projection, &counted);
    let schema = input.schema.clone();
    let op =
        RelOp::Correlate { input: Box::new(input), function: TableFunction::ReplicateRows, column: 0, outer: false };
    let repeated = Rel { op, schema };
    let projection = (1..=width).map(|i| repeated.column(i)).collect();
    repeated.project(projection, &names)
}
