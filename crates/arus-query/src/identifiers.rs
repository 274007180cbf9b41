//! Names as Flink wrote them, read by tools that fold case: the exact name first, else the only one that is
//! equal but for case.

use std::collections::HashMap;
use std::ops::ControlFlow;

use arus_core::read::Snapshot;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, Query, SelectItem, SetExpr, Statement, TableFactor, Visit, VisitMut, Visitor, VisitorMut,
    visit_relations,
};

use crate::catalog::find_table;

/// Rewrites unquoted column names to the case that the tables of the statement declare. Tables without a schema are in `home`.
pub(crate) fn match_column_case(statement: &mut Statement, snapshot: &dyn Snapshot, home: &str) {
    let mut columns = Columns::default();
    let _ = visit_relations(statement, |relation| {
        columns.add(relation, snapshot, home);
        ControlFlow::<()>::Continue(())
    });
    let mut derived = Derived::default();
    let _ = Visit::visit(statement, &mut derived);
    columns.of_derived = derived.0;
    if !columns.by_lower.is_empty() || !columns.of_derived.is_empty() {
        let _ = VisitMut::visit(statement, &mut columns);
    }
}

/// The columns of subqueries in FROM, by their alias.
#[derive(Default)]
struct Derived(HashMap<String, Vec<String>>);

impl Visitor for Derived {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Derived { subquery, alias: Some(alias), .. } = factor
            && alias.columns.is_empty()
        {
            self.0.insert(alias.name.value.clone(), named(subquery));
        }
        ControlFlow::Continue(())
    }
}

/// The names that a query gives to its columns.
fn named(query: &Query) -> Vec<String> {
    let SetExpr::Select(select) = query.body.as_ref() else { return vec![] };
    let name = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.value.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(|name| name.value.clone()),
        _ => None,
    };
    select.projection.iter().filter_map(name).collect()
}

#[derive(Default)]
struct Columns {
    /// Lower-case name to the declared ones.
    by_lower: HashMap<String, Vec<String>>,
    of_derived: HashMap<String, Vec<String>>,
}

impl Columns {
    fn add(&mut self, relation: &ObjectName, snapshot: &dyn Snapshot, home: &str) {
        let parts: Vec<&str> = relation.0.iter().filter_map(|p| p.as_ident()).map(|i| i.value.as_str()).collect();
        let (schema, name) = match parts.as_slice() {
            [name] => (home, *name),
            [.., schema, name] => (*schema, *name),
            [] => return,
        };
        let Some(table) = find_table(snapshot, schema, name) else { return };
        for column in table.schema().columns() {
            let names = self.by_lower.entry(column.name.to_lowercase()).or_default();
            if !names.contains(&column.name) {
                names.push(column.name.clone());
            }
        }
    }

    /// `result.table_name` of `(SELECT .. AS TABLE_NAME) AS result`: without quotes they are the same.
    fn fix_derived(&self, of: &Ident, ident: &mut Ident) -> bool {
        let Some(names) = self.of_derived.get(&of.value) else { return false };
        let alike: Vec<_> = names.iter().filter(|name| name.eq_ignore_ascii_case(&ident.value)).collect();
        if let [only] = alike.as_slice()
            && ident.quote_style.is_none()
        {
            ident.value.clone_from(only);
        }
        !alike.is_empty()
    }

    fn fix(&self, ident: &mut Ident) {
        if ident.quote_style.is_some() {
            return;
        }
        if let Some([only]) = self.by_lower.get(&ident.value.to_lowercase()).map(Vec::as_slice) {
            ident.value.clone_from(only);
        }
    }
}

impl VisitorMut for Columns {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => self.fix(ident),
            Expr::CompoundIdentifier(parts) => {
                let done = match parts.as_mut_slice() {
                    [of, ident] => self.fix_derived(of, ident),
                    _ => false,
                };
                if let Some(last) = parts.last_mut().filter(|_| !done) {
                    self.fix(last);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
