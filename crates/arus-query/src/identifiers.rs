//! Names as Flink wrote them, read by tools that fold case: the exact name first, else the only one that is
//! equal but for case.

use std::collections::HashMap;
use std::ops::ControlFlow;

use arus_core::read::Snapshot;
use datafusion::sql::sqlparser::ast::{Expr, Ident, ObjectName, Statement, VisitMut, VisitorMut, visit_relations};

use crate::catalog::find_table;

/// Rewrites unquoted column names to the case that the tables of the statement declare. Tables without a schema are in `home`.
pub(crate) fn match_column_case(statement: &mut Statement, snapshot: &dyn Snapshot, home: &str) {
    let mut columns = Columns::default();
    let _ = visit_relations(statement, |relation| {
        columns.add(relation, snapshot, home);
        ControlFlow::<()>::Continue(())
    });
    if !columns.by_lower.is_empty() {
        let _ = statement.visit(&mut columns);
    }
}

#[derive(Default)]
struct Columns {
    /// Lower-case name to the declared ones.
    by_lower: HashMap<String, Vec<String>>,
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
                if let Some(last) = parts.last_mut() {
                    self.fix(last);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
