//! The columns that an expression may name.

use arus_core::Result;
use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::schema::RowSchema;
use arus_core::types::{LogicalType, TypeKind};

use super::{Binder, near_or_list};
use crate::ast::{Ident, Span};

/// One table of FROM.
#[derive(Debug, Clone)]
pub(crate) struct Relation {
    /// The alias, or the full path of a table without one: catalog, database, name.
    pub(crate) qualifier: Vec<String>,
    pub(crate) columns: RowSchema,
    /// Of its first column in the input row.
    pub(crate) offset: usize,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    pub(crate) relations: Vec<Relation>,
}

impl Scope {
    pub(crate) fn one(qualifier: Vec<String>, columns: RowSchema) -> Self {
        Scope { relations: vec![Relation { qualifier, columns, offset: 0 }] }
    }

    /// The relation that the parts of a qualifier name: they are the end of its path.
    pub(crate) fn relation(&self, parts: &[Ident]) -> Option<&Relation> {
        self.relations.iter().find(|r| {
            parts.len() <= r.qualifier.len()
                && r.qualifier.iter().rev().zip(parts.iter().rev()).all(|(a, b)| *a == b.value)
        })
    }

    fn names(&self) -> Vec<&str> {
        self.relations.iter().flat_map(|r| r.columns.columns()).map(|c| c.name.as_str()).collect()
    }
}

impl Binder<'_> {
    /// `a`, `t.a`, `a.field`, `db.t.a.field`: as in Calcite the longest prefix that names a table wins.
    pub(crate) fn name(&self, parts: &[Ident], scope: &Scope) -> Result<Expr> {
        for cut in (1..parts.len()).rev() {
            if let Some(relation) = scope.relation(&parts[..cut]) {
                let expr = self.column_of(relation, &parts[cut], &parts[..cut])?;
                return self.fields(expr, &parts[cut + 1..]);
            }
        }
        let first = &parts[0];
        let mut found = None;
        for relation in &scope.relations {
            for (i, column) in relation.columns.columns().iter().enumerate() {
                if column.name != first.value {
                    continue;
                }
                if found.is_some() {
                    return Err(self
                        .wrong(Code::UndefinedColumn, format!("column '{}' is ambiguous", first.value), first.span)
                        .with_hint("several columns have this name: give them aliases, or write table.column"));
                }
                found = Some(Expr::column(relation.offset + i, column.ty.clone()));
            }
        }
        match found {
            Some(expr) => self.fields(expr, &parts[1..]),
            None => Err(self.no_such_column(first, parts, scope)),
        }
    }

    fn no_such_column(&self, first: &Ident, parts: &[Ident], scope: &Scope) -> arus_core::Error {
        let names = scope.names();
        let code = Code::UndefinedColumn;
        if parts.len() > 1 {
            let tables: Vec<&str> =
                scope.relations.iter().filter_map(|r| r.qualifier.last().map(String::as_str)).collect();
            return self
                .wrong(code, format!("'{}' is neither a table nor a column here", first.value), first.span)
                .with_hint(format!("tables: {}; columns: {}", super::list(&tables), super::list(&names)));
        }
        let place = match scope.relations.as_slice() {
            [] => {
                return self
                    .wrong(code, format!("column '{}' does not exist: there is no FROM", first.value), first.span)
                    .with_hint("write a string in single quotes, or name a table with FROM");
            }
            [one] => one.qualifier.last().map(|q| format!(" in '{q}'")).unwrap_or_default(),
            _ => " in any table".to_string(),
        };
        self.wrong(code, format!("column '{}' does not exist{place}", first.value), first.span).with_hint(near_or_list(
            &first.value,
            "columns",
            &names,
        ))
    }

    fn column_of(&self, relation: &Relation, name: &Ident, qualifier: &[Ident]) -> Result<Expr> {
        let mut found = relation.columns.columns().iter().enumerate().filter(|(_, c)| c.name == name.value);
        match (found.next(), found.next()) {
            (Some((i, column)), None) => Ok(Expr::column(relation.offset + i, column.ty.clone())),
            (Some(_), Some(_)) => Err(self
                .wrong(Code::UndefinedColumn, format!("column '{}' is ambiguous", name.value), name.span)
                .with_hint("several columns have this name: give them aliases")),
            (None, _) => {
                let names: Vec<&str> = relation.columns.columns().iter().map(|c| c.name.as_str()).collect();
                let table = qualifier.iter().map(|p| p.value.as_str()).collect::<Vec<_>>().join(".");
                Err(self
                    .wrong(
                        Code::UndefinedColumn,
                        format!("column '{}' does not exist in '{table}'", name.value),
                        name.span,
                    )
                    .with_hint(near_or_list(&name.value, "columns", &names)))
            }
        }
    }

    /// Field accesses one after another.
    pub(crate) fn fields(&self, mut expr: Expr, path: &[Ident]) -> Result<Expr> {
        for field in path {
            expr = self.field(expr, &field.value, field.span)?;
        }
        Ok(expr)
    }

    pub(crate) fn field(&self, expr: Expr, name: &str, span: Span) -> Result<Expr> {
        let ty = expr.ty();
        let TypeKind::Row(fields) = &ty.kind else {
            return Err(self.wrong(
                Code::TypeMismatch,
                format!("field '{name}' of a value that is no ROW: found {}", ty.kind),
                span,
            ));
        };
        let Some(index) = fields.iter().position(|f| f.name == name) else {
            let names: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
            return Err(self
                .wrong(Code::UndefinedColumn, format!("field '{name}' does not exist in {}", ty.kind), span)
                .with_hint(near_or_list(name, "fields", &names)));
        };
        let field: &LogicalType = &fields[index].ty;
        let result = field.clone().with_nullable(field.nullable || ty.nullable);
        Ok(Expr::Field { input: Box::new(expr), index, ty: result })
    }
}
