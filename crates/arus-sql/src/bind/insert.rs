//! INSERT: the query's columns by position into the sink's, with Flink's implicit casts.

use std::sync::Arc;

use arus_core::catalog::{ColumnKind, TableDef, TableKind};
use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::plan::{ConflictStrategy, SinkTarget};
use arus_core::schema::Column;
use arus_core::settings::NOT_NULL_ENFORCER;
use arus_core::types::{LogicalType, TypeKind};
use arus_core::{Datum, Result};

use super::Binder;
use super::types::same_values;
use crate::ast::{ConflictAction, Insert, ObjectName, SelectItem, SetExpr, Span};
use crate::rel::{Rel, RelOp, is_identity};

impl Binder<'_> {
    pub(crate) fn insert(&self, insert: &Insert) -> Result<(Rel, Arc<TableDef>)> {
        let table = self.sink_named(&insert.table)?;
        self.insert_into(insert, table)
    }

    /// The same into a table that may not be in the catalog yet.
    pub(crate) fn insert_into(&self, insert: &Insert, table: Arc<TableDef>) -> Result<(Rel, Arc<TableDef>)> {
        if insert.overwrite {
            return Err(self.refused(
                "INSERT OVERWRITE",
                "as in Flink, a streaming job does not overwrite: write INSERT INTO",
                insert.span,
            ));
        }
        self.check_writable(&table, insert.table.span)?;
        self.named.borrow_mut().push((insert.table.span, table.path.clone()));
        let table = self.with_hints(table, &insert.hints)?;
        let mut targets = self.targets(&table, &insert.columns)?;
        let fixed = self.static_partition(&table, insert)?;
        let table = self.shown_partition(table, insert);
        targets.retain(|t| fixed.iter().all(|(column, _)| column != t));
        self.check_metadata_sinks(&table, &table.sink_columns(), insert.table.span)?;
        let types: Vec<LogicalType> =
            targets.iter().map(|i| table.columns[*i].ty.clone().without_time_attribute()).collect();
        let mut rel = self.query(&insert.query, Some(&types))?;
        if !fixed.is_empty() {
            let mut projection = crate::rel::identity(&rel.schema);
            let mut names: Vec<String> = rel.schema.columns().iter().map(|c| c.name.clone()).collect();
            for (column, value) in fixed {
                projection.push(value);
                names.push(table.columns[column].name.clone());
                targets.push(column);
            }
            rel = rel.project(projection, &names);
        }
        let rel = self.sink_rows(rel, &table, &targets, insert)?;
        let rel = self.enforce_not_null(rel, &table)?;
        let mut rel = rel.sink(SinkTarget::Table(table.clone()));
        if let (RelOp::Sink { conflict, .. }, Some(written)) = (&mut rel.op, &insert.on_conflict) {
            *conflict = Some(match written.action {
                ConflictAction::Nothing => ConflictStrategy::Nothing,
                ConflictAction::Error => ConflictStrategy::Error,
                ConflictAction::Deduplicate => ConflictStrategy::Deduplicate,
            });
        }
        Ok((rel, table))
    }

    /// print shows static partitions before its rows.
    fn shown_partition(&self, table: Arc<TableDef>, insert: &Insert) -> Arc<TableDef> {
        const IDENTIFIER: &str = "print-identifier";
        if insert.partition.is_empty() || table.connector() != Some("print") {
            return table;
        }
        let values = insert
            .partition
            .iter()
            .map(|(column, value)| format!("{}={}", column.value, value.span.of(self.text).trim_matches('\'')));
        let shown: Vec<String> = table.option(IDENTIFIER).map(str::to_string).into_iter().chain(values).collect();
        let mut table = table.as_ref().clone();
        table.options.insert(IDENTIFIER.into(), shown.join(":"));
        Arc::new(table)
    }

    /// `PARTITION (k = v)`: partition columns with the values that all rows get.
    fn static_partition(&self, table: &TableDef, insert: &Insert) -> Result<Vec<(usize, Expr)>> {
        let mut fixed = vec![];
        for (column, value) in &insert.partition {
            let index = table.partition_keys.iter().find(|k| table.columns[**k].name == column.value);
            let Some(index) = index else {
                let names: Vec<&str> = table.partition_keys.iter().map(|k| table.columns[*k].name.as_str()).collect();
                return Err(self
                    .wrong(
                        Code::InvalidValue,
                        format!("column '{}' is no partition column of table '{}'", column.value, table.path),
                        column.span,
                    )
                    .with_hint(super::near_or_list(&column.value, "partition columns", &names)));
            };
            let scope = super::scope::Scope::default();
            let value = self.expr(value, &mut super::expr::Cx::scalar(&scope, "PARTITION"))?;
            fixed.push((*index, self.fold(value)));
        }
        Ok(fixed)
    }

    pub(crate) fn check_writable(&self, table: &TableDef, span: Span) -> Result<()> {
        if table.query.is_some() {
            return Err(self
                .wrong(Code::Conflict, format!("materialized table '{}' is written by its own query", table.path), span)
                .with_hint("insert into the tables that its query reads"));
        }
        match table.kind {
            TableKind::Topic | TableKind::Keyed => Ok(()),
            TableKind::System => {
                Err(self.wrong(Code::PermissionDenied, format!("system table '{}' is read only", table.path), span))
            }
            TableKind::Connector => {
                let name = table.connector().unwrap_or_default();
                match self.planner.connectors.connector(name) {
                    Some(c) if !c.is_sink() => Err(self.wrong(
                        Code::InvalidOption,
                        format!("table '{}': connector '{name}' can only be read, not written", table.path),
                        span,
                    )),
                    Some(_) => Ok(()),
                    None => Err(self.no_such_connector(table, span)),
                }
            }
        }
    }

    /// Metadata columns that are written: of a topic's records some can be, elsewhere none yet.
    fn check_metadata_sinks(&self, table: &TableDef, targets: &[usize], span: Span) -> Result<()> {
        const WRITABLE: [&str; 3] = ["timestamp", "headers", "key"];
        for index in targets {
            let column = &table.columns[*index];
            let ColumnKind::Metadata { key, .. } = &column.kind else {
                continue;
            };
            let key = key.as_deref().unwrap_or(&column.name);
            if table.kind == TableKind::Connector || !WRITABLE.contains(&key) {
                return Err(self
                    .wrong(
                        Code::InvalidValue,
                        format!("metadata column '{}' of '{}' cannot be written", column.name, table.path),
                        span,
                    )
                    .with_hint("declare it METADATA VIRTUAL: then INSERT leaves it out"));
            }
        }
        Ok(())
    }

    /// The sink columns that the query's columns are for, in order.
    fn targets(&self, table: &TableDef, written: &[ObjectName]) -> Result<Vec<usize>> {
        let sink = table.sink_columns();
        if written.is_empty() {
            return Ok(sink);
        }
        let mut targets: Vec<usize> = vec![];
        for name in written {
            let [column] = name.parts.as_slice() else {
                return Err(self.unsupported("INSERT into a nested field", name.span));
            };
            let Some(index) = table.columns.iter().position(|c| c.name == column.value) else {
                let names: Vec<&str> = sink.iter().map(|i| table.columns[*i].name.as_str()).collect();
                return Err(self
                    .wrong(
                        Code::UndefinedColumn,
                        format!("column '{}' does not exist in '{}'", column.value, table.path),
                        column.span,
                    )
                    .with_hint(super::near_or_list(&column.value, "columns", &names)));
            };
            if !sink.contains(&index) {
                let what = match table.columns[index].kind {
                    ColumnKind::Computed { .. } => "computed",
                    _ => "virtual",
                };
                return Err(self.wrong(
                    Code::InvalidValue,
                    format!("column '{}' of '{}' is {what} and cannot be written", column.value, table.path),
                    column.span,
                ));
            }
            if targets.contains(&index) {
                return Err(self.wrong(
                    Code::DuplicateObject,
                    format!("column '{}' stands twice in the column list", column.value),
                    column.span,
                ));
            }
            targets.push(index);
        }
        for index in &sink {
            let column = &table.columns[*index];
            if !column.ty.nullable && !targets.contains(index) {
                let span = written.first().map_or_else(Span::default, |f| f.span.to(written[written.len() - 1].span));
                return Err(self
                    .wrong(
                        Code::TypeMismatch,
                        format!(
                            "column '{}' of '{}' is NOT NULL and missing in the column list",
                            column.name, table.path
                        ),
                        span,
                    )
                    .with_hint(format!("add '{}' to the column list and a value to the query", column.name)));
            }
        }
        Ok(targets)
    }

    /// `table.exec.sink.not-null-enforcer = DROP` leaves out rows with a NULL where the sink has NOT NULL. By default
    /// such a row is an error, which the sink itself finds.
    fn enforce_not_null(&self, rel: Rel, table: &TableDef) -> Result<Rel> {
        if !self.planner.settings.get(NOT_NULL_ENFORCER).eq_ignore_ascii_case("DROP") {
            return Ok(rel);
        }
        let mut conditions = vec![];
        for (position, index) in table.sink_columns().iter().enumerate() {
            let value = rel.column(position);
            if !table.columns[*index].ty.nullable && value.ty().nullable {
                conditions.push(self.resolve("IS NOT NULL", vec![value], Span::default())?);
            }
        }
        Ok(if conditions.is_empty() { rel } else { rel.filter(super::and(conditions)) })
    }

    /// The query as rows of the sink.
    fn sink_rows(&self, rel: Rel, table: &TableDef, targets: &[usize], insert: &Insert) -> Result<Rel> {
        let mismatch = |cause: String, span: Span| {
            let query_columns: Vec<String> =
                rel.schema.columns().iter().map(|c| format!("{}: {}", c.name, c.ty)).collect();
            let sink_columns: Vec<String> = targets
                .iter()
                .map(|i| {
                    format!("{}: {}", table.columns[*i].name, table.columns[*i].ty.clone().without_time_attribute())
                })
                .collect();
            self.wrong(
                Code::TypeMismatch,
                format!(
                    "column types of query result and sink for '{}' do not match: {cause}\nquery schema: [{}]\nsink schema:  [{}]",
                    table.path.full(),
                    query_columns.join(", "),
                    sink_columns.join(", ")
                ),
                span,
            )
        };
        let query = insert.query.span;
        if rel.schema.len() != targets.len() {
            return Err(mismatch(
                format!("different number of columns, expected {}, found {}", targets.len(), rel.schema.len()),
                query,
            )
            .with_hint("name the columns that the query gives: INSERT INTO t (a, b) SELECT .."));
        }
        let mut projection = vec![];
        let mut names = vec![];
        for index in table.sink_columns() {
            let column = &table.columns[index];
            let ty = column.ty.clone().without_time_attribute();
            names.push(column.name.clone());
            let Some(position) = targets.iter().position(|t| *t == index) else {
                projection.push(Expr::literal(Datum::Null, ty.with_nullable(true)));
                continue;
            };
            let value = rel.column(position);
            if !implicit_cast_exists(&value.ty(), &ty) {
                let cause =
                    format!("incompatible types for sink column '{}' at position {}", column.name, position + 1);
                return Err(mismatch(cause, item_span(&insert.query.body, position).unwrap_or(query))
                    .with_hint(format!("write CAST({} AS {})", rel.schema.columns()[position].name, ty.kind)));
            }
            projection.push(if holds_without_cast(&value.ty(), &ty) { value } else { self.coerce(value, &ty) });
        }
        if projection.is_empty() {
            let message = format!("table '{}' has no column to write", table.path);
            return Err(self.wrong(Code::InvalidValue, message, insert.table.span));
        }
        if is_identity(&projection, rel.schema.len()) {
            let columns = rel.schema.columns().iter().zip(&names);
            let schema = columns.map(|(c, n)| Column { name: n.clone(), ty: c.ty.clone() }).collect();
            return Ok(Rel { schema, ..rel });
        }
        // A query of VALUES takes the casts into its rows, so that constants stay constants.
        if let crate::rel::RelOp::Values { rows } = &rel.op {
            let rows = rows
                .iter()
                .map(|row| {
                    projection
                        .iter()
                        .map(|e| match crate::pass::substitute(e, row) {
                            Expr::Cast { input, ty, .. } => self.coerce(*input, &ty),
                            other => other,
                        })
                        .collect()
                })
                .collect();
            let schema = projection.iter().zip(&names).map(|(e, n)| Column { name: n.clone(), ty: e.ty() }).collect();
            return Ok(Rel { op: crate::rel::RelOp::Values { rows }, schema });
        }
        Ok(rel.project(projection, &names))
    }
}

/// Where the value of a column stands in the text, if it has a place of its own.
fn item_span(body: &SetExpr, position: usize) -> Option<Span> {
    match body {
        SetExpr::Select(s) if !s.items.iter().any(|i| matches!(i, SelectItem::Wildcard { .. })) => {
            s.items.get(position).map(SelectItem::span)
        }
        SetExpr::Values(v) => v.rows.first()?.get(position).map(|e| e.span),
        SetExpr::Query(q) => item_span(&q.body, position),
        _ => None,
    }
}

/// Whether every value of one type is one of the other as it stands: shorter strings, narrower elements.
fn holds_without_cast(from: &LogicalType, to: &LogicalType) -> bool {
    use TypeKind as T;
    match (&from.kind, &to.kind) {
        (T::Char(n) | T::Varchar(n), T::Varchar(m)) | (T::Binary(n) | T::Varbinary(n), T::Varbinary(m)) => n <= m,
        (T::Array(a), T::Array(b)) | (T::Multiset(a), T::Multiset(b)) => holds_without_cast(a, b),
        (T::Map(k, v), T::Map(l, w)) => holds_without_cast(k, l) && holds_without_cast(v, w),
        (T::Row(x), T::Row(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(f, g)| f.name == g.name && holds_without_cast(&f.ty, &g.ty))
        }
        _ => same_values(from, to),
    }
}

/// Whether values that were stored as one type can be read as the other: the same ones, and wider ones.
pub fn holds_values_of(stored: &LogicalType, read: &LogicalType) -> bool {
    holds_without_cast(stored, read)
        || (stored.kind.is_integer() && read.kind.is_integer() && implicit_cast_exists(stored, read))
}

/// Flink's implicit casts from a query's column to a sink's; NOT NULL is checked when rows arrive.
pub(crate) fn implicit_cast_exists(from: &LogicalType, to: &LogicalType) -> bool {
    use TypeKind as T;
    if same_values(from, to) {
        return true;
    }
    let f = &from.kind;
    match &to.kind {
        _ if *f == T::Null => true,
        T::Char(_) => matches!(f, T::Char(_)),
        T::Varchar(_) => f.is_string(),
        T::Binary(_) => matches!(f, T::Binary(_)),
        T::Varbinary(_) => f.is_binary(),
        T::Decimal { .. } | T::Double => f.is_numeric(),
        T::SmallInt => matches!(f, T::TinyInt),
        T::Int => matches!(f, T::TinyInt | T::SmallInt),
        T::BigInt => f.is_integer(),
        T::Float => f.is_exact_numeric(),
        T::Date => matches!(f, T::Timestamp { .. }),
        T::Time(_) => matches!(f, T::Time(_) | T::Timestamp { .. }),
        T::Timestamp { .. } | T::TimestampLtz { .. } => f.is_timestamp(),
        T::Array(to) => matches!(f, T::Array(from) if implicit_cast_exists(from, to)),
        T::Multiset(to) => matches!(f, T::Multiset(from) if implicit_cast_exists(from, to)),
        T::Map(tk, tv) => {
            matches!(f, T::Map(fk, fv) if implicit_cast_exists(fk, tk) && implicit_cast_exists(fv, tv))
        }
        T::Row(to) => matches!(f, T::Row(from) if from.len() == to.len()
            && from.iter().zip(to).all(|(a, b)| implicit_cast_exists(&a.ty, &b.ty))),
        _ => false,
    }
}
