//! CREATE ALERT: its clauses against the columns of its query.

use arus_core::Result;
use arus_core::catalog::ObjectPath;
use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::plan::Node;
use arus_core::{Datum, Error};

use super::Binder;
use super::expr::Cx;
use super::scope::Scope;
use crate::alert::{AlertDef, Notify, Severity, Summary};
use crate::ast::{self, CreateAlert, Ident, NotifyTarget, Span};
use crate::rel::Rel;

impl Binder<'_> {
    pub(crate) fn alert_query(&self, c: &CreateAlert) -> Result<(ObjectPath, Rel)> {
        let path = self.new_path(&c.name)?;
        let rel = self.root_query(&c.query)?;
        for column in rel.schema.columns() {
            if column.ty.kind.is_interval() {
                return Err(self.unsupported(
                    format!("INTERVAL as the type of a column ('{}')", column.name),
                    c.query.body.span(),
                ));
            }
        }
        Ok((path, rel))
    }

    /// The alert over a query whose result `node` gives.
    pub(crate) fn alert(&self, c: &CreateAlert, path: ObjectPath, rel: &Rel, node: &Node) -> Result<AlertDef> {
        let columns: Vec<String> = rel.schema.columns().iter().map(|column| column.name.clone()).collect();
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        let known = |name: &str, span: Span| match columns.iter().any(|c| c == name) {
            true => Ok(()),
            false => Err(self
                .wrong(Code::UndefinedColumn, format!("column '{name}' is not one of the query's"), span)
                .with_hint(super::near_or_list(name, "columns", &names))),
        };
        for (i, column) in c.key.iter().enumerate() {
            known(&column.value, column.span)?;
            if c.key[..i].iter().any(|k| k.value == column.value) {
                let message = format!("column '{}' stands twice in KEY", column.value);
                return Err(self.wrong(Code::InvalidValue, message, column.span));
            }
        }
        let summary = match &c.summary {
            None => None,
            Some(text) => {
                let summary = Summary::parse(&text.value).map_err(|e| {
                    self.wrong(Code::InvalidValue, format!("the SUMMARY cannot be read: {e}"), text.span)
                        .with_hint("columns stand in braces: 'card {card_id}'; write {{ for a brace itself")
                })?;
                summary.columns().try_for_each(|name| known(name, text.span))?;
                Some(summary)
            }
        };
        let resolve_after_ms = self.optional_time("RESOLVE AFTER", c.resolve_after.as_ref())?;
        let appends = node.mode.is_insert_only();
        if appends && resolve_after_ms.is_none() {
            return Err(self
                .wrong(
                    Code::InvalidValue,
                    "an alert over rows that are only appended needs RESOLVE AFTER: nothing else would end it",
                    c.name.span,
                )
                .with_hint("add RESOLVE AFTER INTERVAL '5' MINUTE"));
        }
        let no_data = match &c.no_data {
            None => None,
            Some((time, severity)) => {
                Some((self.time_of("NO DATA AFTER", time)?, self.severity(severity.as_ref(), Severity::Warning)?))
            }
        };
        let time_column = rel.schema.columns().iter().find(|column| column.ty.kind.is_timestamp());
        Ok(AlertDef {
            query: self.stored(&c.query, &path),
            path,
            key: c.key.iter().map(|k| k.value.clone()).collect(),
            time_column: time_column.map(|column| column.name.clone()),
            columns,
            severity: self.severity(c.severity.as_ref(), Severity::Warning)?,
            resolve_after_ms,
            no_data,
            summary,
            runbook: c.runbook.as_ref().map(|t| t.value.clone()),
            notify: notifiers(&c.notify),
            repeat_ms: self.optional_time("REPEAT", c.repeat.as_ref())?,
            appends,
        })
    }

    fn severity(&self, written: Option<&Ident>, default: Severity) -> Result<Severity> {
        let Some(word) = written else { return Ok(default) };
        Severity::parse(&word.value).ok_or_else(|| Error::bug(format!("'{}' is no severity", word.value)))
    }

    fn optional_time(&self, clause: &str, e: Option<&ast::Expr>) -> Result<Option<i64>> {
        e.map(|e| self.time_of(clause, e)).transpose()
    }

    /// A time of a clause, in ms.
    pub(crate) fn time_of(&self, clause: &str, e: &ast::Expr) -> Result<i64> {
        let scope = Scope::default();
        match self.expr(e, &mut Cx::scalar(&scope, "an alert"))? {
            Expr::Literal { value: Datum::IntervalMillis(ms), .. } if ms > 0 => Ok(ms),
            other => {
                let found = match &other {
                    Expr::Literal { value: Datum::IntervalMillis(_), .. } => {
                        "one that is not longer than nothing".into()
                    }
                    other => other.ty().kind.to_string(),
                };
                Err(self
                    .wrong(
                        Code::TypeMismatch,
                        format!("{clause} is an interval of days or less, found {found}"),
                        e.span,
                    )
                    .with_hint("write INTERVAL '5' MINUTE"))
            }
        }
    }
}

/// Nobody is told twice who stands there twice.
fn notifiers(targets: &[NotifyTarget]) -> Vec<Notify> {
    let mut all: Vec<Notify> = vec![];
    for target in targets {
        let notify = match target {
            NotifyTarget::Name(name) => Notify::Named(name.value.clone()),
            NotifyTarget::Url(url) => Notify::Url(url.value.clone()),
        };
        if !all.contains(&notify) {
            all.push(notify);
        }
    }
    all
}
