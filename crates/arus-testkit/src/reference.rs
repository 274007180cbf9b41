//! The reference interpreter: a query's answer over the whole input, by nested loops over plain rows.
//!
//! A relation is a list of changes, each with the watermark that had been reached before its row came: a window leaves
//! out the changes that come after it closed. All else counts the rows that are left at the end.

mod aggregate;
mod cast;
mod expr;
mod numeric;
mod relation;
mod strings;
mod value;
mod window;

use std::collections::BTreeMap;

use arus_core::RowKind;
use arus_sql::Rel;

pub use expr::Stop;
pub use value::{Value, row_text, same_rows};

/// One change of a table's input: its physical columns.
#[derive(Debug, Clone)]
pub struct Change {
    pub kind: RowKind,
    pub values: Vec<Value>,
}

/// The input of each table by its name.
pub type Inputs = BTreeMap<String, Vec<Change>>;

/// The rows that the query leaves, in no order. A failing row is left out, as quarantine leaves it out.
pub fn answer(rel: &Rel, inputs: &Inputs) -> Result<Vec<Vec<Value>>, Stop> {
    let relation = relation::Interpreter { inputs }.relation(rel)?;
    relation::remaining(relation.events.iter().map(|e| (e.adds, e.values.as_slice())))
}
