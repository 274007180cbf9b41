//! Rows of one table by its whole primary key, planned once: `SELECT a, b FROM t WHERE id = $1` is looked up from then on.
//!
//! Planning a query costs ten times what finding its row does. What was planned counts for as long as the name stands for a
//! table of the same columns and key: each read looks, so that rights and changes of the catalog hold as ever.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use arus_core::platform::{Param, QueryStream};
use arus_core::read::{ReadTable, ReadTableKind, Snapshot};
use arus_core::{Result, RowSchema};
use datafusion::arrow::array::{ArrayRef, new_empty_array};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Expr, LogicalPlan, Operator, TableScan};
use futures::{StreamExt, stream};

use crate::catalog::find_table;
use crate::engine::QueryShape;
use crate::errors::plan_error;
use crate::rewrite::Declared;
use crate::table::SnapshotTable;
use crate::{names, params};

/// Statements that are known at the same time; programs have a few.
const STATEMENTS: usize = 1_000;
const STATEMENT_BYTES: usize = 4_096;
/// Types that clients declare for the same statement.
const VARIANTS: usize = 4;

#[derive(Default)]
pub(crate) struct PointReads(Mutex<HashMap<String, Vec<Arc<PointRead>>>>);

/// One planned read.
pub(crate) struct PointRead {
    /// The schema that names without one are looked for in, and what the client says of its parameters.
    home: String,
    declared: Declared,
    schema: String,
    table: String,
    columns_of_table: RowSchema,
    /// For each column of the primary key, in its order.
    key: Vec<(usize, Operand)>,
    key_types: Vec<DataType>,
    /// Which columns go out.
    columns: Vec<usize>,
    shape: QueryShape,
}

enum Operand {
    Literal(ScalarValue),
    Parameter(usize),
}

impl PointReads {
    pub(crate) fn find(&self, sql: &str, home: &str, declared: &Declared) -> Option<Arc<PointRead>> {
        let known = self.0.lock().expect("no holder of this lock panics");
        known.get(sql)?.iter().find(|read| read.home == home && said(&read.declared) == said(declared)).cloned()
    }

    pub(crate) fn keep(&self, sql: &str, read: PointRead) {
        if sql.len() > STATEMENT_BYTES || read.shape.params.is_empty() {
            return;
        }
        let mut known = self.0.lock().expect("no holder of this lock panics");
        if known.len() >= STATEMENTS {
            known.clear();
        }
        let variants = known.entry(sql.into()).or_default();
        variants.retain(|other| other.home != read.home || said(&other.declared) != said(&read.declared));
        variants.truncate(VARIANTS - 1);
        variants.insert(0, Arc::new(read));
    }
}

/// Without what the client leaves open at the end: it may say that of each parameter, or of none.
fn said(declared: &Declared) -> &[Option<DataType>] {
    let open = declared.iter().rev().take_while(|ty| ty.is_none()).count();
    &declared[..declared.len() - open]
}

impl PointRead {
    /// `None`: the plan is something else. `shape` is what the client sees of it.
    pub(crate) fn of(plan: &LogicalPlan, home: &str, declared: &Declared, shape: &QueryShape) -> Option<Self> {
        let LogicalPlan::Projection(projection) = plan else { return None };
        let LogicalPlan::Filter(filter) = projection.input.as_ref() else { return None };
        let scan = scan_of(&filter.input)?;
        let provider = source_as_provider(&scan.source).ok()?;
        let table = (provider.as_ref() as &dyn std::any::Any).downcast_ref::<SnapshotTable>()?.table();
        if table.kind() != ReadTableKind::Table || table.primary_key().is_empty() {
            return None;
        }
        let fields = provider.schema();
        let index = |e: &Expr| match e {
            Expr::Column(column) => fields.index_of(&column.name).ok(),
            _ => None,
        };
        let mut found = HashMap::new();
        equalities(&filter.predicate, &mut |column, value| {
            let fresh = index(column).is_some_and(|i| operand(value).is_some_and(|o| found.insert(i, o).is_none()));
            fresh.then_some(())
        })?;
        let key = table.primary_key();
        if found.len() != key.len() {
            return None;
        }
        let key = key.iter().map(|i| Some((*i, found.remove(i)?))).collect::<Option<Vec<_>>>()?;
        let key_types: Vec<_> = key.iter().map(|(i, _)| fields.field(*i).data_type().clone()).collect();
        let exact = |(operand, ty): (&Operand, &DataType)| match operand {
            Operand::Literal(value) => becomes(&value.data_type(), ty),
            Operand::Parameter(i) => shape.params.get(*i).is_some_and(|given| becomes(given, ty)),
        };
        if !key.iter().map(|(_, operand)| operand).zip(&key_types).all(exact) {
            return None;
        }
        let columns = projection.expr.iter().map(|e| match e {
            Expr::Alias(alias) => index(&alias.expr),
            e => index(e),
        });
        Some(PointRead {
            home: home.into(),
            declared: declared.clone(),
            schema: scan.table_name.schema().unwrap_or(home).into(),
            table: scan.table_name.table().into(),
            columns_of_table: table.schema().clone(),
            key,
            key_types,
            columns: columns.collect::<Option<_>>()?,
            shape: shape.clone(),
        })
    }

    pub(crate) fn shape(&self, snapshot: &dyn Snapshot) -> Option<QueryShape> {
        self.table(snapshot).map(|_| self.shape.clone())
    }

    /// The table, as long as it is as it was.
    fn table(&self, snapshot: &dyn Snapshot) -> Option<Arc<dyn ReadTable>> {
        let table = find_table(snapshot, &self.schema, &self.table)?;
        let same = table.kind() == ReadTableKind::Table
            && table.primary_key().iter().eq(self.key.iter().map(|(i, _)| i))
            && *table.schema() == self.columns_of_table;
        same.then_some(table)
    }

    /// The rows; `None`: they are found by a plan.
    pub(crate) fn rows(&self, snapshot: &Arc<dyn Snapshot>, given: &[Param]) -> Result<Option<QueryStream>> {
        let Some(table) = self.table(snapshot.as_ref()) else { return Ok(None) };
        let values = params::values(&self.shape.params, given)?;
        let mut keys: Vec<ArrayRef> = vec![];
        for ((_, operand), ty) in self.key.iter().zip(&self.key_types) {
            let value = match operand {
                Operand::Literal(value) => value,
                Operand::Parameter(i) => &values[*i],
            };
            if value.is_null() {
                // Nothing equals NULL.
                keys = self.key_types.iter().map(new_empty_array).collect();
                break;
            }
            // What does not fit is compared in the wider type.
            let Ok(value) = value.cast_to(ty) else { return Ok(None) };
            keys.push(value.to_array().map_err(plan_error)?);
        }
        let Some(rows) = table.find(&keys, &self.columns)? else { return Ok(None) };
        let schema: &SchemaRef = &self.shape.schema;
        let rows = names::renamed(&rows, schema).map_err(plan_error);
        Ok(Some(QueryStream {
            schema: schema.clone(),
            cut: Some(snapshot.cut()),
            as_of_ms: snapshot.as_of_ms(),
            batches: stream::iter([rows]).boxed(),
        }))
    }
}

fn scan_of(plan: &LogicalPlan) -> Option<&TableScan> {
    match plan {
        LogicalPlan::TableScan(scan)
            if scan.filters.is_empty() && scan.fetch.is_none() && scan.projection.is_none() =>
        {
            Some(scan)
        }
        LogicalPlan::SubqueryAlias(alias) => scan_of(&alias.input),
        _ => None,
    }
}

/// Each `column = value` of a conjunction; `None`: there is something else.
fn equalities(predicate: &Expr, take: &mut dyn FnMut(&Expr, &Expr) -> Option<()>) -> Option<()> {
    let Expr::BinaryExpr(b) = predicate else { return None };
    match b.op {
        Operator::And => {
            equalities(&b.left, take)?;
            equalities(&b.right, take)
        }
        Operator::Eq if matches!(*b.left, Expr::Column(_)) => take(&b.left, &b.right),
        Operator::Eq => take(&b.right, &b.left),
        _ => None,
    }
}

fn operand(value: &Expr) -> Option<Operand> {
    match value {
        Expr::Literal(value, _) => Some(Operand::Literal(value.clone())),
        Expr::Placeholder(p) => Some(Operand::Parameter(params::number(&p.id)?.checked_sub(1)?)),
        // `$1::bigint` is of that type from the start.
        Expr::Cast(cast) => match cast.expr.as_ref() {
            Expr::Placeholder(p) if p.field.as_ref().is_some_and(|f| f.data_type() == cast.field.data_type()) => {
                operand(&cast.expr)
            }
            _ => None,
        },
        _ => None,
    }
}

/// Whether a value of one type equals the same key of the other, if it fits.
fn becomes(given: &DataType, key: &DataType) -> bool {
    let text = |ty: &DataType| matches!(ty, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8);
    let same = given == key && !key.is_floating() && !key.is_nested();
    same || given.is_signed_integer() && key.is_signed_integer() || text(given) && text(key)
}
