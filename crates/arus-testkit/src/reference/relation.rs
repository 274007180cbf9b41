//! The nodes of the tree.

use std::collections::BTreeSet;

use arus_core::catalog::{ColumnKind, TableDef};
use arus_core::expr::Expr;
use arus_core::types::{LogicalType, TypeKind, units_per_ms};
use arus_sql::{Rel, RelOp};

use super::expr::{Evaluated, Stop, evaluate, is_true, unsupported};
use super::value::{Value, same_rows};
use super::{Inputs, aggregate, window};

pub(crate) struct Interpreter<'i> {
    pub(crate) inputs: &'i Inputs,
}

/// A change on its way.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) adds: bool,
    pub(crate) values: Vec<Value>,
    /// The watermark, in ms, that had been reached before this row.
    pub(crate) watermark: i64,
}

pub(crate) struct Relation {
    pub(crate) events: Vec<Event>,
    /// Whether the order of the events is that of the rows at run time.
    pub(crate) ordered: bool,
    /// Whether the watermarks are known; else they are the highest that they can have been.
    pub(crate) exact: bool,
    pub(crate) sources: BTreeSet<String>,
}

impl Relation {
    fn with(self, events: Vec<Event>) -> Relation {
        Relation { events, ..self }
    }

    /// The same without its events.
    pub(crate) fn part(&self) -> Relation {
        Relation { events: vec![], ordered: self.ordered, exact: self.exact, sources: self.sources.clone() }
    }

    /// Rows of which only the set is known.
    pub(crate) fn settled(self, rows: Vec<Vec<Value>>) -> Relation {
        let event = |values| Event { adds: true, values, watermark: i64::MIN };
        Relation { events: rows.into_iter().map(event).collect(), ordered: false, exact: true, sources: self.sources }
    }
}

/// The rows that the changes leave. Those with a failed value are left out.
pub(crate) fn remaining<'v>(changes: impl Iterator<Item = (bool, &'v [Value])>) -> Evaluated<Vec<Vec<Value>>> {
    let mut rows: Vec<Vec<Value>> = vec![];
    for (adds, values) in changes {
        if values.iter().any(|v| matches!(v, Value::Failed(_))) {
            continue;
        }
        if adds {
            rows.push(values.to_vec());
            continue;
        }
        match rows.iter().rposition(|row| same_rows(row, values)) {
            Some(at) => rows.remove(at),
            None => return unsupported("the retraction of a row that is not there"),
        };
    }
    Ok(rows)
}

/// The value, or the failure that whoever needs it runs into.
pub(crate) fn lazily(e: &Expr, row: &[Value]) -> Evaluated<Value> {
    match evaluate(e, row) {
        Err(Stop::Row(reason)) => Ok(Value::Failed(reason)),
        other => other,
    }
}

/// A time column in ms, rounded down.
pub(crate) fn millis(value: &Value, ty: &LogicalType) -> Evaluated<Option<i64>> {
    match (value, &ty.kind) {
        (Value::Null | Value::Failed(_), _) => Ok(None),
        (Value::Timestamp(time), TypeKind::Timestamp { precision, .. } | TypeKind::TimestampLtz { precision, .. }) => {
            Ok(Some(time.div_euclid(units_per_ms(*precision))))
        }
        _ => unsupported(format!("{value} as a time")),
    }
}

impl Interpreter<'_> {
    pub(crate) fn relation(&self, rel: &Rel) -> Evaluated<Relation> {
        match &rel.op {
            RelOp::Scan { table, columns } => self.scan(table, columns),
            RelOp::Values { rows } => {
                let rows: Evaluated<Vec<Vec<Value>>> =
                    rows.iter().map(|row| row.iter().map(|e| lazily(e, &[])).collect()).collect();
                let none = Relation { events: vec![], ordered: true, exact: true, sources: BTreeSet::new() };
                Ok(Relation { ordered: true, ..none.settled(rows?) })
            }
            RelOp::Calc { input, condition, projection } => {
                let input = self.relation(input)?;
                let mut events = vec![];
                for event in &input.events {
                    if let Some(condition) = condition {
                        match evaluate(condition, &event.values) {
                            Ok(value) if is_true(&value) => {}
                            Ok(_) | Err(Stop::Row(_)) => continue,
                            Err(other) => return Err(other),
                        }
                    }
                    let values = projection.iter().map(|e| lazily(e, &event.values)).collect::<Evaluated<_>>()?;
                    events.push(Event { values, ..event.clone() });
                }
                Ok(input.with(events))
            }
            RelOp::Window { input, window } => {
                let input = self.relation(input)?;
                window::assign(input, window)
            }
            RelOp::Aggregate { input, keys, calls, .. } => {
                let input_schema = &input.schema;
                let input = self.relation(input)?;
                let rows = aggregate::groups(&input, keys, calls, input_schema)?;
                Ok(input.settled(rows))
            }
            RelOp::WindowAggregate { input, window, keys, calls, properties } => {
                let input_schema = &input.schema;
                let input = self.relation(input)?;
                window::aggregate(input, window, keys, calls, properties, input_schema)
            }
            RelOp::Union { inputs } => {
                let inputs: Vec<Relation> = inputs.iter().map(|r| self.relation(r)).collect::<Evaluated<_>>()?;
                let sources: BTreeSet<String> = inputs.iter().flat_map(|i| i.sources.iter().cloned()).collect();
                let exact = sources.len() < 2 && inputs.iter().all(|i| i.exact);
                let events = inputs.into_iter().flat_map(|i| i.events).collect();
                Ok(Relation { events, ordered: false, exact, sources })
            }
            RelOp::Sink { input, .. } | RelOp::ChangelogNormalize { input, .. } => self.relation(input),
            #[expect(unreachable_patterns, reason = "the tree grows")]
            other => unsupported(format!("{other:?}")),
        }
    }

    fn scan(&self, table: &TableDef, columns: &[usize]) -> Evaluated<Relation> {
        let Some(changes) = self.inputs.get(&table.path.name) else {
            return unsupported(format!("table '{}' without input", table.path));
        };
        let mut events = vec![];
        let mut watermark = i64::MIN;
        for change in changes {
            let row = table_row(table, &change.values)?;
            if let Some(w) = &table.watermark {
                let ty = &table.columns[w.column].ty;
                // A row without a time does not get in.
                if millis(&row[w.column], ty)?.is_none() {
                    continue;
                }
                let values = columns.iter().map(|c| row[*c].clone()).collect();
                events.push(Event { adds: change.kind.adds(), values, watermark });
                if let Some(mark) = millis(&lazily(&w.expr, &row)?, &w.expr.ty())? {
                    watermark = watermark.max(mark);
                }
            } else {
                let values = columns.iter().map(|c| row[*c].clone()).collect();
                events.push(Event { adds: change.kind.adds(), values, watermark });
            }
        }
        Ok(Relation { events, ordered: true, exact: true, sources: [table.path.full()].into() })
    }
}

/// All columns of a table from its physical ones.
fn table_row(table: &TableDef, physical: &[Value]) -> Evaluated<Vec<Value>> {
    let mut given = physical.iter();
    let mut row = vec![];
    for column in &table.columns {
        row.push(match &column.kind {
            ColumnKind::Physical => given.next().cloned().unwrap_or(Value::Null),
            ColumnKind::Computed { .. } => Value::Null,
            ColumnKind::Metadata { .. } => return unsupported("metadata columns"),
        });
    }
    let mut full = row.clone();
    for (place, column) in full.iter_mut().zip(&table.columns) {
        if let ColumnKind::Computed { expr, .. } = &column.kind {
            *place = lazily(expr, &row)?;
        }
    }
    Ok(full)
}
