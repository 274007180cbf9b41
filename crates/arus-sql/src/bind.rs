//! From syntax tree to logical plan: names resolved, types derived, casts explicit.
//!
//! Invariant: every error that leaves the binder has a [`Location`] in the text of the statement; one that happened
//! inside a view points at the use of the view and names it.

mod aggregate;
mod aggregate_call;
mod alert;
mod alter;
mod call;
mod change;
mod expr;
mod group_window;
mod grouping;
mod habits;
mod hints;
mod insert;
mod json;
mod literal;
mod materialized;
mod options;
mod order;
mod period;
mod query;
mod scope;
mod set_op;
mod table;
mod tree;
mod types;
mod unnest;
mod window;

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use arus_core::catalog::{CatalogObject, ObjectPath, SYSTEM_DATABASE, TableDef, Usage};
use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::{Error, Location, Result};

use crate::ast::{Ident, ObjectName, Span};
use crate::nearest::nearest;
use crate::planner::Planner;
use crate::rel::Rel;

pub use insert::holds_values_of;
pub use options::{MANAGED_OPTIONS, managed_default};
pub use table::managed_metadata;

pub(crate) use expr::and;

/// Views inside views: deeper is a cycle.
const VIEW_DEPTH: usize = 32;

pub(crate) struct Binder<'a> {
    pub(crate) planner: &'a Planner<'a>,
    pub(crate) text: &'a str,
    /// Names without a catalog are looked up here.
    pub(crate) catalog: String,
    /// Names without a database are looked up here.
    pub(crate) database: String,
    /// How many queries stand around the one that is being bound.
    pub(crate) depth: Cell<usize>,
    /// WITH, innermost last.
    pub(crate) with: RefCell<Vec<(String, Arc<Rel>)>>,
    /// The views that are being expanded, outermost first.
    pub(crate) views: Vec<ObjectPath>,
    /// Where tables were named by less than their full path: a stored query gets the full one.
    pub(crate) named: RefCell<Vec<(Span, ObjectPath)>>,
    /// Things to know that are no errors.
    pub(crate) notices: RefCell<Vec<String>>,
}

impl<'a> Binder<'a> {
    pub(crate) fn new(planner: &'a Planner<'a>, text: &'a str) -> Self {
        Binder {
            planner,
            text,
            catalog: planner.settings.get(arus_core::settings::CATALOG).to_string(),
            database: planner.current_database.to_string(),
            depth: Cell::new(0),
            with: RefCell::new(vec![]),
            views: vec![],
            named: RefCell::new(vec![]),
            notices: RefCell::new(vec![]),
        }
    }

    /// For another text in the same database.
    pub(crate) fn beside<'b>(&'b self, text: &'b str) -> Binder<'b> {
        Binder {
            depth: Cell::new(0),
            planner: self.planner,
            text,
            catalog: self.catalog.clone(),
            database: self.database.clone(),
            with: RefCell::new(vec![]),
            views: vec![],
            named: RefCell::new(vec![]),
            notices: RefCell::new(vec![]),
        }
    }

    /// For the text of a view.
    pub(crate) fn inside<'b>(&'b self, path: &ObjectPath, text: &'b str) -> Result<Binder<'b>> {
        if self.views.contains(path) || self.views.len() >= VIEW_DEPTH {
            return Err(Error::user(format!("view '{path}' reads itself")).with_code(Code::InvalidValue));
        }
        let mut views = self.views.clone();
        views.push(path.clone());
        Ok(Binder {
            planner: self.planner,
            text,
            catalog: path.catalog.clone(),
            database: path.database.clone(),
            depth: Cell::new(1),
            with: RefCell::new(vec![]),
            views,
            named: RefCell::new(vec![]),
            notices: RefCell::new(vec![]),
        })
    }

    pub(crate) fn at(&self, span: Span) -> Location {
        location(self.text, span)
    }

    /// Gives `error` the place of `span` unless it has one.
    pub(crate) fn locate(&self, error: Error, span: Span) -> Error {
        if error.location().is_some() { error } else { error.with_location(self.at(span)) }
    }

    pub(crate) fn unsupported(&self, what: impl std::fmt::Display, span: Span) -> Error {
        Error::not_supported(what).with_location(self.at(span))
    }

    /// What will not be there, with the reason as the hint.
    pub(crate) fn refused(&self, what: impl std::fmt::Display, why: &str, span: Span) -> Error {
        let error = Error::user(format!("{what} is not supported")).with_code(Code::NotSupported);
        error.with_hint(why).with_location(self.at(span))
    }

    pub(crate) fn wrong(&self, code: Code, message: impl Into<String>, span: Span) -> Error {
        Error::user(message).with_code(code).with_location(self.at(span))
    }

    /// The place that a name means.
    pub(crate) fn path(&self, name: &ObjectName) -> Result<ObjectPath> {
        match name.parts.as_slice() {
            [table] => Ok(ObjectPath::in_catalog(&self.catalog, &self.database, &table.value)),
            [database, table] => Ok(ObjectPath::in_catalog(&self.catalog, &database.value, &table.value)),
            [catalog, database, table] => {
                self.check_catalog(catalog)?;
                Ok(ObjectPath::in_catalog(&catalog.value, &database.value, &table.value))
            }
            _ => Err(self
                .wrong(Code::InvalidValue, format!("'{}' is no table's name", name.span.of(self.text)), name.span)
                .with_hint("a name has at most three parts: catalog.database.table")),
        }
    }

    pub(crate) fn check_catalog(&self, catalog: &Ident) -> Result<()> {
        let catalogs = self.planner.catalog.catalogs();
        if catalogs.iter().any(|c| c.name == catalog.value) {
            return Ok(());
        }
        let names: Vec<&str> = catalogs.iter().map(|c| c.name.as_str()).collect();
        Err(self
            .wrong(Code::UndefinedTable, format!("catalog '{}' does not exist", catalog.value), catalog.span)
            .with_hint(near_or_list(&catalog.value, "catalogs", &names)))
    }

    /// The table or view of that name, to be read.
    pub(crate) fn object(&self, name: &ObjectName) -> Result<CatalogObject> {
        self.object_for(name, Usage::Read)
    }

    fn object_for(&self, name: &ObjectName, usage: Usage) -> Result<CatalogObject> {
        let path = self.path(name)?;
        // What a view reads is the affair of whoever made it.
        let found = match self.views.is_empty() {
            true => self.planner.catalog.named(&path, usage).map_err(|e| self.locate(e, name.span))?,
            false => self.planner.catalog.object(&path),
        };
        found.ok_or_else(|| self.no_such_table(&path, name))
    }

    pub(crate) fn no_such_table(&self, path: &ObjectPath, name: &ObjectName) -> Error {
        let databases = self.planner.catalog.databases_in(&path.catalog);
        if !databases.contains(&path.database) {
            let span = name.parts.iter().rev().nth(1).map_or(name.span, |p| p.span);
            let error = self.wrong(Code::UndefinedTable, format!("database '{}' does not exist", path.database), span);
            return match nearest(&path.database, databases.iter().map(String::as_str)) {
                Some(near) => error.with_hint(format!("did you mean '{near}'?")),
                None => error.with_hint(format!("databases: {}", databases.join(", "))),
            };
        }
        let objects = self.planner.catalog.objects_in(&path.catalog, &path.database);
        let names: Vec<&str> = objects.iter().map(|o| o.path().name.as_str()).collect();
        let error = self.wrong(Code::UndefinedTable, format!("table '{path}' does not exist"), name.span);
        match nearest(&path.name, names.iter().copied()) {
            Some(near) => error.with_hint(format!("did you mean '{near}'?")),
            None if path.database == SYSTEM_DATABASE => {
                error.with_hint("the system tables are read in PostgreSQL's dialect: by psql, or on a dashboard")
            }
            None if names.is_empty() => {
                error.with_hint(format!("database '{}' has no table; make one with CREATE TABLE", path.database))
            }
            None => error.with_hint(format!("tables of '{}': {}", path.database, list(&names))),
        }
    }

    /// The table of that name; a view is none.
    pub(crate) fn table_named(&self, name: &ObjectName) -> Result<Arc<TableDef>> {
        self.table_for(name, Usage::Read)
    }

    /// The same, to be written.
    pub(crate) fn sink_named(&self, name: &ObjectName) -> Result<Arc<TableDef>> {
        self.table_for(name, Usage::Write)
    }

    fn table_for(&self, name: &ObjectName, usage: Usage) -> Result<Arc<TableDef>> {
        match self.object_for(name, usage)? {
            CatalogObject::Table(table) => Ok(table),
            CatalogObject::View(view) => {
                Err(self.wrong(Code::InvalidValue, format!("'{}' is a view, expected a table", view.path), name.span))
            }
        }
    }

    /// Evaluates an expression of literals now; one that fails stays as it is and fails when it runs.
    pub(crate) fn fold(&self, expr: Expr) -> Expr {
        let constant = expr.children().iter().all(|c| matches!(c, Expr::Literal { .. }));
        if !constant || matches!(expr, Expr::Literal { .. } | Expr::Column { .. }) {
            return expr;
        }
        match self.planner.evaluator.evaluate_constant(&expr) {
            Ok(value) => Expr::literal(value, expr.ty()),
            Err(_) => expr,
        }
    }
}

pub(crate) fn location(text: &str, span: Span) -> Location {
    let (line, column) = span.line_column(text);
    Location { line, column, offset: span.start, length: span.end.saturating_sub(span.start).max(1) }
}

/// Names for a hint: all of a short list, the first of a long one.
pub(crate) fn list(names: &[&str]) -> String {
    const SHOWN: usize = 20;
    let mut text = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

/// The hint of a misspelt name.
pub(crate) fn near_or_list(name: &str, what: &str, names: &[&str]) -> String {
    let near = nearest(name, names.iter().copied()).map(|n| format!("did you mean '{n}'? ")).unwrap_or_default();
    format!("{near}{what}: {}", list(names))
}
