//! Operators that PostgreSQL decides by the types of their sides, and casts that it does in its own way.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{Cast, ScalarFunction};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, ScalarUDF};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::function::TIMESTAMP;

/// Plans operators by our functions of these names.
#[derive(Debug)]
pub(crate) struct Operators(pub(crate) Vec<Arc<ScalarUDF>>);

impl Operators {
    fn call(&self, name: &str, args: Vec<Expr>) -> Option<Expr> {
        let func = self.0.iter().find(|f| f.name() == name)?.clone();
        Some(Expr::ScalarFunction(ScalarFunction { func, args }))
    }

    fn plan(&self, raw: &RawBinaryExpr, schema: &DFSchema) -> Option<Expr> {
        let args = || vec![raw.left.clone(), raw.right.clone()];
        let json = match &raw.op {
            BinaryOperator::Arrow => Some("arus_json_get"),
            BinaryOperator::LongArrow => Some("arus_json_get_text"),
            BinaryOperator::HashArrow => Some("arus_json_path"),
            BinaryOperator::HashLongArrow => Some("arus_json_path_text"),
            BinaryOperator::Question => Some("arus_json_has"),
            BinaryOperator::QuestionPipe => Some("arus_json_has_any"),
            BinaryOperator::QuestionAnd => Some("arus_json_has_all"),
            _ => None,
        };
        if let Some(name) = json {
            return self.call(name, args());
        }
        let (left, right) = (raw.left.get_type(schema).ok()?, raw.right.get_type(schema).ok()?);
        let is_text = |ty: &DataType| matches!(ty, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8);
        let is_interval = |ty: &DataType| matches!(ty, DataType::Interval(_) | DataType::Duration(_));
        let is_exact = |ty: &DataType| ty.is_integer() || matches!(ty, DataType::Decimal128(..));
        match (&raw.op, &left, &right) {
            (BinaryOperator::AtArrow, l, _) if is_text(l) => self.call("arus_json_contains", args()),
            (BinaryOperator::ArrowAt, l, _) if is_text(l) => {
                self.call("arus_json_contains", vec![raw.right.clone(), raw.left.clone()])
            }
            (BinaryOperator::Minus, DataType::Date32, DataType::Date32) => self.call("arus_date_difference", args()),
            (BinaryOperator::Plus, DataType::Date32, r) if r.is_integer() => self.call("arus_date_add", args()),
            (BinaryOperator::Plus, l, DataType::Date32) if l.is_integer() => {
                self.call("arus_date_add", vec![raw.right.clone(), raw.left.clone()])
            }
            (BinaryOperator::Minus, DataType::Date32, r) if r.is_integer() => {
                self.call("arus_date_add", vec![raw.left.clone(), Expr::Negative(Box::new(raw.right.clone()))])
            }
            (BinaryOperator::Plus | BinaryOperator::Minus, DataType::Date32, r) if is_interval(r) => {
                let date = Expr::Cast(Cast::new(Box::new(raw.left.clone()), TIMESTAMP));
                let op = if raw.op == BinaryOperator::Plus {
                    datafusion::logical_expr::Operator::Plus
                } else {
                    datafusion::logical_expr::Operator::Minus
                };
                Some(datafusion::logical_expr::binary_expr(date, op, raw.right.clone()))
            }
            (BinaryOperator::Multiply, l, r) if is_interval(l) && r.is_numeric() => {
                self.call("arus_interval_times", args())
            }
            (BinaryOperator::Multiply, l, r) if l.is_numeric() && is_interval(r) => {
                self.call("arus_interval_times", vec![raw.right.clone(), raw.left.clone()])
            }
            (BinaryOperator::Divide, l, r) if is_exact(l) && is_exact(r) && !(l.is_integer() && r.is_integer()) => {
                self.call("arus_divide", args())
            }
            (BinaryOperator::PGExp, _, _) => self.call("power", args()),
            _ => None,
        }
    }
}

impl ExprPlanner for Operators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        Ok(match self.plan(&expr, schema) {
            Some(planned) => PlannerResult::Planned(planned),
            None => PlannerResult::Original(expr),
        })
    }
}

/// Casts as PostgreSQL does them: numbers are rounded, times are written with a blank, and an instant has the session's clock.
pub(crate) fn casts(plan: LogicalPlan, functions: &Operators) -> Result<LogicalPlan> {
    let done = plan.transform_up_with_subqueries(|node| {
        let mut schema = DFSchema::empty();
        for input in node.inputs() {
            schema.merge(input.schema());
        }
        if let LogicalPlan::TableScan(_) = &node {
            schema.merge(node.schema());
        }
        node.map_expressions(|expr| expr.transform_up(|expr| Ok(cast(expr, &schema, functions))))
    })?;
    Ok(done.data)
}

fn cast(expr: Expr, schema: &DFSchema, functions: &Operators) -> Transformed<Expr> {
    let Expr::Cast(cast) = &expr else { return Transformed::no(expr) };
    let Ok(from) = cast.expr.get_type(schema) else { return Transformed::no(expr) };
    let to = cast.field.data_type().clone();
    let wrapped = |name: &str| functions.call(name, vec![cast.expr.as_ref().clone()]);
    let then = |inner: Option<Expr>| inner.map(|e| Expr::Cast(Cast { expr: Box::new(e), field: cast.field.clone() }));
    let is_text = |ty: &DataType| matches!(ty, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8);
    let better = match (&from, &to) {
        (DataType::Float32 | DataType::Float64 | DataType::Decimal128(..), to) if to.is_integer() => {
            then(wrapped("round"))
        }
        (
            DataType::Timestamp(..)
            | DataType::Float32
            | DataType::Float64
            | DataType::Interval(_)
            | DataType::Duration(_)
            | DataType::List(_)
            | DataType::Time32(_)
            | DataType::Time64(_)
            | DataType::Binary
            | DataType::BinaryView,
            to,
        ) if is_text(to) => wrapped("arus_text"),
        (from, DataType::Binary | DataType::BinaryView) if is_text(from) => then(wrapped("arus_bytes")),
        (DataType::Timestamp(_, Some(_)), DataType::Timestamp(_, None) | DataType::Date32 | DataType::Time64(_)) => {
            then(wrapped("arus_local"))
        }
        (DataType::Timestamp(_, None) | DataType::Date32, DataType::Timestamp(_, Some(_))) => {
            then(wrapped("arus_instant"))
        }
        _ => None,
    };
    match better {
        Some(better) => Transformed::yes(better),
        None => Transformed::no(expr),
    }
}
