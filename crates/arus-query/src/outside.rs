//! Subqueries over `pg_catalog` that the planner cannot run, since they look at the row outside of them: in a CASE of a SELECT
//! list, as drivers ask for defaults, identities, collations and the fields of types, and over policies. Nothing here has any
//! of these, so that they are NULL. And vectors, which count from 0.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr, Query, Select, SelectItem, SetExpr, Statement, Subscript, TableFactor, Value,
    Visit, VisitMut, Visitor, VisitorMut, visit_expressions_mut, visit_relations,
};

use crate::rewrite::{call, cast, parse_type};

/// The names that the statement's WITH clauses give to queries.
pub(crate) fn tables_of_with(statement: &Statement) -> HashSet<String> {
    struct Names(HashSet<String>);
    impl Visitor for Names {
        type Break = ();

        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            let tables = query.with.iter().flat_map(|with| &with.cte_tables);
            self.0.extend(tables.map(|table| table.alias.name.to_string()));
            ControlFlow::Continue(())
        }
    }
    let mut names = Names(HashSet::new());
    let _ = Visit::visit(statement, &mut names);
    names.0
}

/// Puts NULLs in their place.
pub(crate) fn without(statement: &mut Statement) {
    let _ = VisitMut::visit(statement, &mut Selects);
    let _ = visit_expressions_mut(statement, |expr| {
        count_from_one(expr);
        ControlFlow::<()>::Continue(())
    });
}

/// `indkey[0]` is an index's first column, where arrays begin with 1.
fn count_from_one(expr: &mut Expr) {
    let Expr::CompoundFieldAccess { root, access_chain } = expr else { return };
    let [before @ .., AccessExpr::Subscript(Subscript::Index { index })] = access_chain.as_mut_slice() else { return };
    // `indkey[0]`, or `i.indkey[0]`.
    let name = match (root.as_ref(), &*before) {
        (Expr::Identifier(name), []) | (_, [.., AccessExpr::Dot(Expr::Identifier(name))]) => Some(name),
        (Expr::CompoundIdentifier(parts), []) => parts.last(),
        _ => None,
    };
    if name.is_some_and(|name| name.value.eq_ignore_ascii_case("indkey")) {
        let one = Expr::Value(Value::Number("1".into(), false).with_empty_span());
        let from_zero = Box::new(Expr::Nested(Box::new(index.clone())));
        *index = Expr::BinaryOp { left: from_zero, op: BinaryOperator::Plus, right: Box::new(one) };
    }
}

struct Selects;

impl VisitorMut for Selects {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                let _ = VisitMut::visit(expr, &mut Within { cases: 0 });
            }
        }
        ControlFlow::Continue(())
    }
}

struct Within {
    /// CASE expressions around.
    cases: usize,
}

impl VisitorMut for Within {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let query = match expr {
            Expr::Case { .. } => {
                self.cases += 1;
                return ControlFlow::Continue(());
            }
            Expr::Subquery(query) => query,
            _ => return ControlFlow::Continue(()),
        };
        if (self.cases > 0 && looks_outside(query)) || is_of_policies(query) {
            *expr = null_of(type_of(query));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Case { .. } = expr {
            self.cases -= 1;
        }
        ControlFlow::Continue(())
    }
}

fn is_of_policies(query: &Query) -> bool {
    visit_relations(query, |relation| {
        let name = relation.0.last().and_then(|part| part.as_ident());
        match name.is_some_and(|name| name.value.eq_ignore_ascii_case("pg_policy")) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })
    .is_break()
}

/// Whether a column of it is of a table that it does not read.
pub(crate) fn looks_outside(query: &Query) -> bool {
    #[derive(Default)]
    struct Tables {
        own: HashSet<String>,
        used: HashSet<String>,
    }
    impl Visitor for Tables {
        type Break = ();

        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            match factor {
                TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
                    self.own.insert(alias.name.value.clone());
                }
                TableFactor::Table { name, alias: None, .. } => {
                    self.own.extend(name.0.last().and_then(|part| part.as_ident()).map(|name| name.value.clone()));
                }
                _ => {}
            }
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if let Expr::CompoundIdentifier(parts) = expr
                && let [.., table, _] = parts.as_slice()
            {
                self.used.insert(table.value.clone());
            }
            ControlFlow::Continue(())
        }
    }
    let mut tables = Tables::default();
    let _ = Visit::visit(query, &mut tables);
    tables.used.iter().any(|table| !tables.own.contains(table))
}

/// Numbers of types, which have a type of their own.
const OIDS: &str = "OID[]";

fn null_of(ty: &str) -> Expr {
    if ty == OIDS {
        return call("arus_no_oids", vec![]);
    }
    let null = Expr::Value(Value::Null.with_empty_span());
    match parse_type(ty) {
        Some(ty) => cast(null, ty),
        None => null,
    }
}

/// The type of a subquery's column, as far as drivers look at it.
fn type_of(query: &Query) -> &'static str {
    let SetExpr::Select(select) = query.body.as_ref() else { return "TEXT" };
    let Some(SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }) = select.projection.first()
    else {
        return "TEXT";
    };
    let name = match item {
        Expr::Identifier(name) => &name.value,
        Expr::CompoundIdentifier(parts) => parts.last().map_or("", |name| name.value.as_str()),
        Expr::Function(call) if call.name.to_string().eq_ignore_ascii_case("array_agg") => {
            let args = call.args.to_string().to_lowercase();
            return if args.contains("typid") { OIDS } else { "TEXT[]" };
        }
        _ => return "TEXT",
    };
    if name.ends_with("oid") || name.starts_with("typ") { "INTEGER" } else { "TEXT" }
}
