//! UPDATE and DELETE: the rows of a keyed table that the statement changes, as a query over one snapshot.

use std::sync::Arc;

use arus_core::catalog::{ColumnKind as Kind, TableDef, TableKind, late_columns, quarantine_columns};
use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::plan::SinkTarget;
use arus_core::{Datum, Result};

use super::Binder;
use super::expr::Cx;
use super::insert::implicit_cast_exists;
use super::scope::Scope;
use crate::ast::{self, Ident, ObjectName, Span, Update};
use crate::planner::Planned;
use crate::rel::Rel;

impl Binder<'_> {
    /// The keyed table that a statement changes row by row.
    pub(crate) fn changed_table(&self, statement: &str, name: &ObjectName) -> Result<Arc<TableDef>> {
        let table = self.table_named(name)?;
        self.check_writable(&table, name.span)?;
        if table.kind != TableKind::Keyed {
            return Err(self
                .refused(format!("{statement} on table '{}', which has no rows of its own by key,", table.path), "as in Flink, a streaming job only inserts; a table with a PRIMARY KEY and without a 'connector' takes it", name.span));
        }
        Ok(table)
    }

    /// The rows as they are after UPDATE.
    pub(crate) fn updated_rows(&self, update: &Update) -> Result<(Rel, Arc<TableDef>)> {
        let table = self.changed_table("UPDATE", &update.table)?;
        let (rel, scope) = self.rows_where(&table, &update.table, update.condition.as_ref())?;
        for (column, _) in &update.assignments {
            self.check_assignable(&table, column)?;
        }
        let mut projection = vec![];
        let mut names = vec![];
        for (index, column) in table.columns.iter().enumerate().filter(|(_, c)| matches!(c.kind, Kind::Physical)) {
            names.push(column.name.clone());
            let Some((_, value)) = update.assignments.iter().find(|(c, _)| c.value == column.name) else {
                projection.push(rel.column(index));
                continue;
            };
            let bound = self.expr(value, &mut Cx::scalar(&scope, "SET"))?;
            let ty = column.ty.clone().without_time_attribute();
            let null = matches!(bound, Expr::Literal { value: Datum::Null, .. });
            if !null && !implicit_cast_exists(&bound.ty(), &ty) {
                return Err(self
                    .wrong(
                        Code::TypeMismatch,
                        format!("column '{}' is {ty}, the value is {}", column.name, bound.ty()),
                        value.span,
                    )
                    .with_hint(format!("write CAST(.. AS {})", ty.kind)));
            }
            projection.push(self.coerce(bound, &ty));
        }
        Ok((rel.project(projection, &names).sink(SinkTarget::Collect), table))
    }

    /// The rows that DELETE takes away.
    pub(crate) fn deleted_rows(
        &self,
        name: &ObjectName,
        condition: Option<&ast::Expr>,
        statement: &str,
    ) -> Result<(Rel, Arc<TableDef>)> {
        let table = self.changed_table(statement, name)?;
        let (rel, _) = self.rows_where(&table, name, condition)?;
        let physical = table.columns.iter().enumerate().filter(|(_, c)| matches!(c.kind, Kind::Physical));
        let (projection, names): (Vec<Expr>, Vec<String>) =
            physical.map(|(i, c)| (rel.column(i), c.name.clone())).unzip();
        Ok((rel.project(projection, &names).sink(SinkTarget::Collect), table))
    }

    fn rows_where(
        &self,
        table: &Arc<TableDef>,
        name: &ObjectName,
        condition: Option<&ast::Expr>,
    ) -> Result<(Rel, Scope)> {
        let path = &table.path;
        let qualifier = vec![path.catalog.clone(), path.database.clone(), path.name.clone()];
        self.named.borrow_mut().push((name.span, path.clone()));
        let mut rel = Rel::scan(table.clone());
        let scope = Scope::one(qualifier, rel.schema.clone());
        if let Some(condition) = condition {
            let bound = self.expr(condition, &mut Cx::scalar(&scope, "WHERE"))?;
            rel = rel.filter(self.boolean(bound, "WHERE", condition.span)?);
        }
        Ok((rel, scope))
    }

    /// Rows that were set aside, to go once more.
    pub(crate) fn replay(&self, table: &TableDef, late: bool, condition: Option<&ast::Expr>) -> Result<Planned> {
        let path = &table.path;
        let (side, columns) = if late { ("late", late_columns()) } else { ("quarantine", quarantine_columns()) };
        let name = format!("{}${side}", path.name);
        let scope = Scope::one(vec![path.catalog.clone(), path.database.clone(), name], columns);
        let bind = |condition: &ast::Expr| {
            let bound = self.expr(condition, &mut Cx::scalar(&scope, "WHERE"))?;
            self.boolean(bound, "WHERE", condition.span)
        };
        Ok(Planned::Replay { table: path.clone(), late, condition: condition.map(bind).transpose()? })
    }

    fn check_assignable(&self, table: &TableDef, column: &Ident) -> Result<()> {
        let wrong = |span: Span, message: String| self.wrong(Code::InvalidValue, message, span);
        let Some(index) = table.columns.iter().position(|c| c.name == column.value) else {
            let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
            let message = format!("column '{}' does not exist in '{}'", column.value, table.path);
            return Err(self.wrong(Code::UndefinedColumn, message, column.span).with_hint(super::near_or_list(
                &column.value,
                "columns",
                &names,
            )));
        };
        if !matches!(table.columns[index].kind, Kind::Physical) {
            return Err(wrong(column.span, format!("column '{}' is computed and cannot be set", column.value)));
        }
        if table.primary_key.contains(&index) {
            return Err(wrong(
                column.span,
                format!("column '{}' is a part of the key and cannot be set", column.value),
            )
            .with_hint("DELETE the row and INSERT one with the other key"));
        }
        Ok(())
    }
}
