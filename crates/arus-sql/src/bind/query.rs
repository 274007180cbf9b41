//! SELECT, VALUES, WITH and what may stand in FROM.

use std::sync::Arc;

use arus_core::catalog::{CatalogObject, TableDef, TableKind, ViewDef};
use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::schema::{Column, RowSchema};
use arus_core::types::{LogicalType, TypeKind};
use arus_core::{Datum, Error, Result};

use super::Binder;
use super::expr::Cx;
use super::hints::with_ttl;
use super::order::Unordered;
use super::scope::Scope;
use crate::ast::{
    ExprKind, GroupItem, Hint, Ident, ObjectName, OrderItem, Query, Select, SelectItem, SetExpr, Span, StatementKind,
    TableAlias, TableKind as From, TableRef, Values,
};
use crate::parser;
use crate::rel::{Rel, RelOp};

/// A value of the select list.
pub(crate) struct Item {
    pub(crate) expr: Expr,
    pub(crate) name: String,
    pub(crate) span: Span,
}

/// Types that the columns are for; a bare NULL takes its own.
pub(crate) type Expected<'e> = Option<&'e [LogicalType]>;

impl Binder<'_> {
    pub(crate) fn query(&self, q: &Query, expected: Expected<'_>) -> Result<Rel> {
        let depth = self.with.borrow().len();
        let top = self.depth.replace(self.depth.get() + 1) == 0;
        for table in &q.with {
            let rel = self.query(&table.query, None)?;
            let rel = self.rename(rel, &table.columns, table.span)?;
            self.with.borrow_mut().push((table.name.value.clone(), Arc::new(rel)));
        }
        let rel = self.query_rows(q, expected).and_then(|rows| self.ordered(rows, q, top));
        self.depth.set(self.depth.get() - 1);
        self.with.borrow_mut().truncate(depth);
        rel
    }

    fn query_rows(&self, q: &Query, expected: Expected<'_>) -> Result<Unordered> {
        match &q.body {
            SetExpr::Select(select) => {
                self.select(select, expected, &q.order_by).map_err(|e| self.alias_hint(e, select))
            }
            body => self.order_of_rows(self.set_expr(body, expected)?, &q.order_by),
        }
    }

    pub(crate) fn set_expr(&self, body: &SetExpr, expected: Expected<'_>) -> Result<Rel> {
        match body {
            SetExpr::Select(select) => {
                Ok(self.select(select, expected, &[]).map_err(|e| self.alias_hint(e, select))?.rel)
            }
            SetExpr::Values(values) => self.values(values, expected),
            SetExpr::Query(query) => self.query(query, expected),
            SetExpr::Table(name) => Ok(self.named(name, &[], name.span)?.0),
            SetExpr::SetOp(op) => self.set_op(op, expected),
        }
    }

    fn values(&self, values: &Values, expected: Expected<'_>) -> Result<Rel> {
        let scope = Scope::default();
        let mut rows: Vec<Vec<Expr>> = vec![];
        for row in &values.rows {
            let mut bound = vec![];
            for e in row {
                bound.push(self.expr(e, &mut Cx::scalar(&scope, "VALUES"))?);
            }
            if let Some(first) = rows.first()
                && first.len() != bound.len()
            {
                let span = row.first().map_or(values.span, |e| e.span);
                return Err(self.wrong(
                    Code::TypeMismatch,
                    format!("VALUES with rows of {} and {} columns", first.len(), bound.len()),
                    span,
                ));
            }
            rows.push(bound);
        }
        let width = rows.first().map_or(0, Vec::len);
        let mut columns = vec![];
        for i in 0..width {
            let types: Vec<LogicalType> = rows.iter().map(|r| r[i].ty().without_time_attribute()).collect();
            let nullable = types.iter().any(|t| t.nullable);
            let span = values.rows[0][i].span;
            let common = self.planner.functions.common_type(&types).ok_or_else(|| {
                let found: Vec<String> = types.iter().map(|t| t.kind.to_string()).collect();
                self.wrong(
                    Code::TypeMismatch,
                    format!("column {} of VALUES has no common type: {}", i + 1, found.join(", ")),
                    span,
                )
                .with_hint("CAST the values to one type")
            })?;
            let common = if common.kind == TypeKind::Null {
                expected.and_then(|e| e.get(i)).cloned().ok_or_else(|| self.illegal_null(span))?
            } else {
                common
            };
            columns.push(Column {
                name: format!("EXPR${i}"),
                ty: common.without_time_attribute().with_nullable(nullable),
            });
        }
        let rows = rows
            .into_iter()
            .map(|row| row.into_iter().zip(&columns).map(|(e, c)| self.coerce(e, &c.ty)).collect())
            .collect();
        Ok(Rel { op: RelOp::Values { rows }, schema: RowSchema::new(columns) })
    }

    fn select(&self, s: &Select, expected: Expected<'_>, order: &[OrderItem]) -> Result<Unordered> {
        if let Some(window) = s.windows.first() {
            return Err(self.unsupported("WINDOW", window.name.span));
        }
        if let Some(qualify) = &s.qualify {
            return Err(self.unsupported("QUALIFY", qualify.span));
        }
        let (mut rel, scope) = self.from(s)?;
        let ttl_ms = self.select_hints(&s.hints, &scope)?;
        if let Some(filter) = &s.filter {
            let condition = self.expr(filter, &mut Cx::scalar(&scope, "WHERE"))?;
            let condition = self.boolean(condition, "WHERE", filter.span)?;
            if !matches!(condition, Expr::Literal { value: Datum::Boolean(true), .. }) {
                rel = rel.filter(condition);
            }
        }
        let (rel, group_window) = self.group_window(s, rel, &scope)?;
        let global = s.group_by.as_ref().is_none_or(|g| !g.items.iter().any(GroupItem::has_key));
        let mut cx = Cx::grouped(&scope, global);
        cx.group_window = group_window.as_ref();
        let mut items = self.items(s, &scope, &mut cx)?;
        for (i, item) in items.iter_mut().enumerate() {
            if item.expr.ty().kind == TypeKind::Null {
                let ty = expected.and_then(|e| e.get(i)).ok_or_else(|| self.illegal_null(item.span))?;
                item.expr = self.coerce(item.expr.clone(), ty);
            }
        }
        let visible = items.len();
        let keys = self.select_order(order, &mut items, s.distinct, &mut cx)?;
        let grouped = s.group_by.is_some() || s.having.is_some() || !cx.calls.is_empty() || !cx.groupings.is_empty();
        let rel = if grouped {
            with_ttl(self.aggregate(rel, s, items, cx)?, ttl_ms)
        } else {
            let (projection, names): (Vec<Expr>, Vec<String>) = items.into_iter().map(|i| (i.expr, i.name)).unzip();
            rel.project(projection, &names)
        };
        let rel = if s.distinct { self.distinct(rel)? } else { rel };
        Ok(Unordered { rel, keys, visible })
    }

    /// The select list with `*` written out.
    fn items(&self, s: &Select, scope: &Scope, cx: &mut Cx<'_>) -> Result<Vec<Item>> {
        let mut items: Vec<Item> = vec![];
        let mut add = |expr: Expr, name: Option<String>, span: Span| {
            let name = name.unwrap_or_else(|| format!("EXPR${}", items.len()));
            items.push(Item { expr, name, span });
        };
        for item in &s.items {
            match item {
                SelectItem::Expr { expr, alias } => {
                    let name = alias.as_ref().map(|a| a.value.clone()).or_else(|| match &expr.kind {
                        ExprKind::Name(parts) => parts.last().map(|p| p.value.clone()),
                        _ => None,
                    });
                    add(self.expr(expr, cx)?, name, expr.span);
                }
                SelectItem::Wildcard { qualifier, span } => {
                    for (index, column) in self.wildcard(qualifier, *span, scope)? {
                        cx.named.push((index, *span));
                        add(Expr::column(index, column.ty), Some(column.name), *span);
                    }
                }
            }
        }
        Ok(items)
    }

    fn wildcard(&self, qualifier: &[Ident], span: Span, scope: &Scope) -> Result<Vec<(usize, Column)>> {
        if scope.relations.is_empty() {
            return Err(self.wrong(Code::Syntax, "* without FROM", span).with_hint("name a table with FROM"));
        }
        let relations: Vec<_> = if qualifier.is_empty() {
            scope.relations.iter().collect()
        } else {
            let relation = scope.relation(qualifier).ok_or_else(|| {
                let name = qualifier.iter().map(|p| p.value.as_str()).collect::<Vec<_>>().join(".");
                let tables: Vec<&str> =
                    scope.relations.iter().filter_map(|r| r.qualifier.last().map(String::as_str)).collect();
                self.wrong(Code::UndefinedTable, format!("table '{name}' is not in FROM"), qualifier[0].span)
                    .with_hint(super::near_or_list(&name, "tables", &tables))
            })?;
            vec![relation]
        };
        Ok(relations
            .into_iter()
            .flat_map(|r| r.columns.columns().iter().enumerate().map(|(i, c)| (r.offset + i, c.clone())))
            .collect())
    }

    fn from(&self, s: &Select) -> Result<(Rel, Scope)> {
        match s.from.as_slice() {
            [] => {
                let zero = Expr::literal(Datum::Int(0), TypeKind::Int.not_null());
                let schema = RowSchema::new(vec![Column { name: "ZERO".into(), ty: zero.ty() }]);
                Ok((Rel { op: RelOp::Values { rows: vec![vec![zero]] }, schema }, Scope::default()))
            }
            [one] => self.table_ref(one),
            [first, others @ ..] => {
                let first = self.table_ref(first)?;
                others.iter().try_fold(first, |left, right| self.unnest(left, right, false))
            }
        }
    }

    /// A table of FROM and the names by which its columns are known.
    pub(crate) fn table_ref(&self, t: &TableRef) -> Result<(Rel, Scope)> {
        let (rel, qualifier) = match &t.kind {
            From::Named { name, hints, system_time } => {
                if let Some(time) = system_time {
                    return Err(self.unsupported("FOR SYSTEM_TIME AS OF", time.span));
                }
                self.named(name, hints, t.span)?
            }
            From::Subquery { lateral: true, .. } => return Err(self.unsupported("LATERAL", t.span)),
            From::Subquery { query, .. } => (self.query(query, None)?, vec![]),
            From::Function { lateral: true, .. } => return Err(self.unsupported("LATERAL TABLE", t.span)),
            From::Function { call, .. } => (self.window_function(call)?, vec![]),
            From::Unnest { .. } => return self.lone_unnest(t),
            From::Join(join) => return self.join(join, t.span),
            From::Unsupported { what, .. } => return Err(self.unsupported(what, t.span)),
        };
        let Some(TableAlias { name, columns }) = &t.alias else {
            let scope = Scope::one(qualifier, rel.schema.clone());
            return Ok((rel, scope));
        };
        let rel = self.rename(rel, columns, name.span)?;
        let scope = Scope::one(vec![name.value.clone()], rel.schema.clone());
        Ok((rel, scope))
    }

    /// UNNEST of a constant collection: beside one row without columns of its own.
    fn lone_unnest(&self, t: &TableRef) -> Result<(Rel, Scope)> {
        let zero = Expr::literal(Datum::Int(0), TypeKind::Int.not_null());
        let schema = RowSchema::new(vec![Column { name: "ZERO".into(), ty: zero.ty() }]);
        let one = Rel { op: RelOp::Values { rows: vec![vec![zero]] }, schema };
        let (rel, mut scope) = self.unnest((one, Scope::default()), t, false)?;
        let names: Vec<String> = rel.schema.columns()[1..].iter().map(|c| c.name.clone()).collect();
        let projection = (1..rel.schema.len()).map(|i| rel.column(i)).collect();
        scope.relations.iter_mut().for_each(|r| r.offset -= 1);
        Ok((rel.project(projection, &names), scope))
    }

    /// Gives the columns other names, where any are written.
    pub(crate) fn rename(&self, mut rel: Rel, names: &[Ident], span: Span) -> Result<Rel> {
        if names.is_empty() {
            return Ok(rel);
        }
        if names.len() != rel.schema.len() {
            return Err(self.wrong(
                Code::TypeMismatch,
                format!("{} names for {} columns", names.len(), rel.schema.len()),
                span,
            ));
        }
        if let Some((i, twice)) = names.iter().enumerate().find(|(i, n)| names[..*i].iter().any(|m| m.value == n.value))
        {
            return Err(self.wrong(
                Code::DuplicateObject,
                format!("column '{}' is named twice, again as column {}", twice.value, i + 1),
                twice.span,
            ));
        }
        let columns = rel.schema.columns().iter().zip(names);
        rel.schema = columns.map(|(c, n)| Column { name: n.value.clone(), ty: c.ty.clone() }).collect();
        Ok(rel)
    }

    /// A whole query, its names made unique as Calcite does: the second `a` is `a0`. (Inside a query two equal names are
    /// ambiguous.)
    pub(crate) fn root_query(&self, q: &Query) -> Result<Rel> {
        let mut rel = self.query(q, None)?;
        let mut names: Vec<String> = vec![];
        for column in rel.schema.columns() {
            let mut unique = column.name.clone();
            let mut attempt = 0;
            while names.contains(&unique) {
                unique = format!("{}{attempt}", column.name);
                attempt += 1;
            }
            names.push(unique);
        }
        let columns = rel.schema.columns().iter().zip(names);
        rel.schema = columns.map(|(c, name)| Column { name, ty: c.ty.clone() }).collect();
        Ok(rel)
    }

    /// A table, view or WITH query by name, and its qualifier.
    pub(crate) fn named(&self, name: &ObjectName, hints: &[Hint], span: Span) -> Result<(Rel, Vec<String>)> {
        if let [only] = name.parts.as_slice() {
            let found = self.with.borrow().iter().rev().find(|(n, _)| *n == only.value).map(|(_, r)| r.clone());
            if let Some(rel) = found {
                return Ok((rel.as_ref().clone(), vec![only.value.clone()]));
            }
        }
        let object = self.object(name)?;
        let path = object.path().clone();
        self.named.borrow_mut().push((name.span, path.clone()));
        let qualifier = vec![path.catalog, path.database, path.name];
        let rel = match object {
            CatalogObject::Table(table) => {
                self.check_readable(&table, span)?;
                Rel::scan(self.with_hints(table, hints)?)
            }
            CatalogObject::View(view) => {
                if let Some(hint) = hints.first() {
                    return Err(self.unsupported(format!("the hint {} on a view", hint.name.value), hint.span));
                }
                self.view(&view, name.span)?
            }
        };
        Ok((rel, qualifier))
    }

    fn check_readable(&self, table: &TableDef, span: Span) -> Result<()> {
        match table.kind {
            TableKind::Topic | TableKind::Keyed => Ok(()),
            TableKind::System if self.planner.options.batch_snapshot => Ok(()),
            TableKind::System => {
                Err(self.unsupported(format!("a pipeline that reads the system table '{}'", table.path), span))
            }
            TableKind::Connector => {
                let name = table.connector().unwrap_or_default();
                match self.planner.connectors.connector(name) {
                    Some(c) if !c.is_source() => Err(self.wrong(
                        Code::InvalidOption,
                        format!("table '{}': connector '{name}' can only be written, not read", table.path),
                        span,
                    )),
                    Some(_) => Ok(()),
                    None => Err(self.no_such_connector(table, span)),
                }
            }
        }
    }

    pub(crate) fn no_such_connector(&self, table: &TableDef, span: Span) -> Error {
        let name = table.connector().unwrap_or_default();
        self.wrong(Code::InvalidOption, format!("table '{}': connector '{name}' does not exist", table.path), span)
            .with_hint(super::near_or_list(name, "connectors", &self.planner.connectors.connector_names()))
    }

    /// The table with the options of an OPTIONS hint.
    fn view(&self, view: &ViewDef, span: Span) -> Result<Rel> {
        let inner = self.inside(&view.path, &view.query).map_err(|e| self.locate(e, span))?;
        let bound = || -> Result<Rel> {
            let statement = parser::parse_statement(&view.query).map_err(|e| Error::user(e.message))?;
            let StatementKind::Query(query) = &statement.kind else {
                return Err(Error::user("its text is no query"));
            };
            inner.query(query, None)
        };
        let mut rel =
            bound().map_err(|e| e.in_context(format!("in view '{}'", view.path)).with_location(self.at(span)))?;
        if rel.schema.len() == view.columns.len() {
            let columns = rel.schema.columns().iter().zip(view.columns.columns());
            rel.schema = columns.map(|(c, v)| Column { name: v.name.clone(), ty: c.ty.clone() }).collect();
        }
        Ok(rel)
    }
}
