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

use std::cell::Cell;
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

/// What a query gives.
#[derive(Debug, Clone)]
pub struct Answer {
    /// In no order. A failing row is left out, as quarantine leaves it out.
    pub rows: Vec<Vec<Value>>,
    /// Whether any row failed.
    pub failed: bool,
}

pub fn answer(rel: &Rel, inputs: &Inputs) -> Result<Answer, Stop> {
    let interpreter = relation::Interpreter { inputs, failed: Cell::new(false) };
    let relation = interpreter.relation(rel, &vec![true; rel.schema.len()])?;
    let rows = interpreter.remaining(&relation.events)?;
    Ok(Answer { rows, failed: interpreter.failed.get() })
}
