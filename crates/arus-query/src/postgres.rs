//! What PostgreSQL does and DataFusion does not: names of output columns, the search path, `version()`.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, SelectItem, SetExpr, Statement, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::catalog::{PG_CATALOG, PUBLIC};

/// What clients expect to begin with `PostgreSQL`, a space and a number.
const VERSION: &str = concat!("PostgreSQL 15.0 (Arus ", env!("CARGO_PKG_VERSION"), ")");

pub(crate) fn version() -> ScalarUDF {
    let text = |_: &[ColumnarValue]| -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(ScalarValue::Utf8(Some(VERSION.into()))))
    };
    create_udf("version", vec![], DataType::Utf8, Volatility::Stable, Arc::new(text))
}

/// Names that PostgreSQL gives to unnamed columns of the outermost SELECT: a call has the function's. The plan keeps
/// DataFusion's, which tell `count(a)` from `count(b)`.
#[derive(Debug, Default)]
pub(crate) struct OutputNames {
    /// From the left, up to the first `*`.
    left: Vec<Option<String>>,
    /// From the right, up to the last `*`; the last column first.
    right: Vec<Option<String>>,
}

impl OutputNames {
    pub(crate) fn of(statement: &Statement) -> Self {
        let Statement::Query(query) = statement else { return Self::default() };
        let mut body = query.body.as_ref();
        let items = loop {
            match body {
                SetExpr::Select(select) => break &select.projection,
                SetExpr::Query(inner) => body = inner.body.as_ref(),
                // The first SELECT names the columns of a union.
                SetExpr::SetOperation { left, .. } => body = left.as_ref(),
                _ => return Self::default(),
            }
        };
        let single = |item: &&SelectItem| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
        let left: Vec<_> = items.iter().take_while(single).map(name_of).collect();
        let right = if left.len() == items.len() {
            vec![]
        } else {
            items.iter().rev().take_while(single).map(name_of).collect()
        };
        OutputNames { left, right }
    }

    pub(crate) fn apply(&self, schema: &SchemaRef) -> SchemaRef {
        let count = schema.fields().len();
        let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
        let from_right = self.right.iter().enumerate().map(|(i, name)| (count.checked_sub(i + 1), name));
        for (at, name) in self.left.iter().enumerate().map(|(i, name)| (Some(i), name)).chain(from_right) {
            if let (Some(field), Some(name)) = (at.and_then(|at| fields.get_mut(at)), name) {
                *field = Arc::new(Field::as_ref(field).clone().with_name(name));
            }
        }
        Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
    }
}

fn name_of(item: &SelectItem) -> Option<String> {
    let SelectItem::UnnamedExpr(expr) = item else { return None };
    Some(match expr {
        Expr::Function(call) => call.name.0.last()?.as_ident()?.value.to_lowercase(),
        Expr::Case { .. } => "case".into(),
        Expr::Extract { .. } => "extract".into(),
        _ => return None,
    })
}

/// The same rows under these names.
pub(crate) fn renamed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let count = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), batch.columns().to_vec(), &count)?)
}

/// A table is visible that the search path holds; the function of pg_catalog calls all of them so.
pub(crate) fn keep_to_search_path(statement: &mut Statement) {
    let _ = statement.visit(&mut Visible);
}

struct Visible;

impl VisitorMut for Visible {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(condition) = visible(expr) {
            *expr = condition;
        }
        ControlFlow::Continue(())
    }
}

/// `pg_table_is_visible(c.oid)` as a condition on `c.relnamespace`.
fn visible(expr: &Expr) -> Option<Expr> {
    let Expr::Function(call) = expr else { return None };
    if !call.name.0.last()?.as_ident()?.value.eq_ignore_ascii_case("pg_table_is_visible") {
        return None;
    }
    let FunctionArguments::List(list) = &call.args else { return None };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(oid))] = list.args.as_slice() else { return None };
    let mut path: Vec<Ident> = match oid {
        Expr::Identifier(ident) => vec![ident.clone()],
        Expr::CompoundIdentifier(path) => path.clone(),
        _ => return None,
    };
    if path.pop()?.value != "oid" {
        return None;
    }
    path.push(Ident::new("relnamespace"));
    let column: Vec<String> = path.iter().map(ToString::to_string).collect();
    let text = format!(
        "{} IN (SELECT oid FROM {PG_CATALOG}.pg_namespace WHERE nspname IN ('{PUBLIC}', '{PG_CATALOG}'))",
        column.join(".")
    );
    Parser::new(&PostgreSqlDialect {}).try_with_sql(&text).ok()?.parse_expr().ok()
}
