//! The nodes of the tree.

use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::BTreeSet;

use arus_core::catalog::{ColumnKind, TableDef};
use arus_core::expr::Expr;
use arus_core::plan::{AggregateCall, SortKey, TableFunction};
use arus_core::types::{LogicalType, TypeKind, units_per_ms};
use arus_sql::{Rel, RelOp};

use super::expr::{Evaluated, Stop, evaluate, is_true, unsupported};
use super::value::{Value, same_rows};
use super::{Inputs, aggregate, window};

pub(crate) struct Interpreter<'i> {
    pub(crate) inputs: &'i Inputs,
    /// Whether a row failed.
    pub(crate) failed: Cell<bool>,
}

/// A change on its way.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) adds: bool,
    pub(crate) values: Vec<Value>,
    /// The watermark, in ms, that had been reached before this row.
    pub(crate) watermark: i64,
}

impl Event {
    pub(crate) fn is_failed(&self) -> bool {
        self.values.iter().any(is_failed)
    }
}

pub(crate) struct Relation {
    pub(crate) events: Vec<Event>,
    /// Whether the order of the events is that of the rows at run time.
    pub(crate) ordered: bool,
    /// Whether the watermarks are known; else they are the highest that they can have been.
    pub(crate) exact: bool,
    /// Whether the rows came out of windows, at some watermark of their end or later.
    pub(crate) fired: bool,
    pub(crate) sources: BTreeSet<String>,
}

impl Relation {
    fn with(self, events: Vec<Event>) -> Relation {
        Relation { events, ..self }
    }

    /// The same without its events.
    pub(crate) fn part(&self) -> Relation {
        Relation { events: vec![], sources: self.sources.clone(), ..*self }
    }

    /// Rows of which only the set is known.
    pub(crate) fn settled(self, rows: Vec<Vec<Value>>) -> Relation {
        let event = |values| Event { adds: true, values, watermark: i64::MIN };
        Relation {
            events: rows.into_iter().map(event).collect(),
            ordered: false,
            exact: true,
            fired: false,
            sources: self.sources,
        }
    }
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

fn is_failed(value: &Value) -> bool {
    matches!(value, Value::Failed(_))
}

/// The columns that these expressions read.
fn read_by<'e>(exprs: impl Iterator<Item = &'e Expr>, width: usize) -> Vec<bool> {
    let mut read = vec![false; width];
    for e in exprs {
        e.visit_columns(&mut |column| read[column] = true);
    }
    read
}

/// The columns that a grouping reads for the `needed` ones of its own: keys always, a call when it is needed.
fn read_by_groups(keys: &[usize], calls: &[AggregateCall], needed: &[bool], width: usize) -> Vec<bool> {
    let mut read = vec![false; width];
    for key in keys {
        read[*key] = true;
    }
    for (i, call) in calls.iter().enumerate() {
        if needed[keys.len() + i] {
            call.columns().for_each(|column| read[column] = true);
        }
    }
    read
}

impl Interpreter<'_> {
    /// The rows that the changes leave. Those with a failed value are left out.
    pub(crate) fn remaining(&self, events: &[Event]) -> Evaluated<Vec<Vec<Value>>> {
        let mut rows: Vec<Vec<Value>> = vec![];
        for event in events {
            if event.is_failed() {
                self.failed.set(true);
                continue;
            }
            if event.adds {
                rows.push(event.values.clone());
                continue;
            }
            match rows.iter().rposition(|row| same_rows(row, &event.values)) {
                Some(at) => rows.remove(at),
                None => return unsupported("the retraction of a row that is not there"),
            };
        }
        Ok(rows)
    }

    /// The events whose values are all there.
    pub(crate) fn without_failed(&self, mut input: Relation) -> Relation {
        let before = input.events.len();
        input.events.retain(|event| !event.is_failed());
        self.failed.set(self.failed.get() || input.events.len() < before);
        input
    }

    /// `needed`: which columns anybody reads. What nobody needs is not computed, and fails no row.
    pub(crate) fn relation(&self, rel: &Rel, needed: &[bool]) -> Evaluated<Relation> {
        match &rel.op {
            RelOp::Scan { table, columns } => self.scan(table, columns),
            RelOp::Values { rows } => {
                let rows: Evaluated<Vec<Vec<Value>>> =
                    rows.iter().map(|row| row.iter().map(|e| lazily(e, &[])).collect()).collect();
                if rows.as_ref().is_ok_and(|rows| rows.iter().flatten().any(|v| matches!(v, Value::Failed(_)))) {
                    return unsupported("a constant that fails");
                }
                let none =
                    Relation { events: vec![], ordered: true, exact: true, fired: false, sources: BTreeSet::new() };
                Ok(Relation { ordered: true, ..none.settled(rows?) })
            }
            RelOp::Calc { input, condition, projection } => {
                let wanted = projection.iter().zip(needed).filter(|(_, n)| **n).map(|(e, _)| e);
                let read = read_by(wanted.chain(condition), input.schema.len());
                let input = self.relation(input, &read)?;
                let mut events = vec![];
                for event in &input.events {
                    let holds_failure = event.is_failed();
                    if let Some(condition) = condition {
                        match evaluate(condition, &event.values) {
                            Ok(value) if is_true(&value) => {}
                            Ok(_) => {
                                // It may have failed before.
                                self.failed.set(self.failed.get() || holds_failure);
                                continue;
                            }
                            Err(Stop::Row(_)) => {
                                self.failed.set(true);
                                continue;
                            }
                            Err(other) => return Err(other),
                        }
                    }
                    let values = projection.iter().map(|e| lazily(e, &event.values)).collect::<Evaluated<Vec<_>>>()?;
                    let (used, unused): (Vec<_>, Vec<_>) = values.iter().zip(needed).partition(|(_, needed)| **needed);
                    let fails = |part: &[(&Value, &bool)]| part.iter().any(|(value, _)| is_failed(value));
                    if fails(&unused) || (holds_failure && !fails(&used)) {
                        return unsupported("a failure that only some plans run into");
                    }
                    events.push(Event { values, ..event.clone() });
                }
                Ok(input.with(events))
            }
            RelOp::Window { input, window } => {
                let mut read = needed[..input.schema.len()].to_vec();
                window.partition.iter().for_each(|p| read[*p] = true);
                read[window.time] = true;
                let input = self.relation(input, &read)?;
                window::assign(input, window)
            }
            RelOp::Aggregate { input, keys, calls, .. } => {
                let schema = &input.schema;
                let read = read_by_groups(keys, calls, needed, schema.len());
                let input = self.relation(input, &read)?;
                let rows = aggregate::groups(self, &input, keys, calls, schema)?;
                Ok(input.settled(rows))
            }
            RelOp::WindowAggregate { input, window, keys, calls, properties, .. } => {
                let schema = &input.schema;
                let mut read = read_by_groups(keys, calls, &vec![true; rel.schema.len()], schema.len());
                match window.attached {
                    Some(a) => [a.start, a.end].iter().for_each(|c| read[*c] = true),
                    None => read[window.time] = true,
                }
                let input = self.relation(input, &read)?;
                window::aggregate(self, input, window, keys, calls, properties, schema)
            }
            RelOp::Union { inputs } => {
                let inputs: Vec<Relation> =
                    inputs.iter().map(|r| self.relation(r, needed)).collect::<Evaluated<_>>()?;
                let sources: BTreeSet<String> = inputs.iter().flat_map(|i| i.sources.iter().cloned()).collect();
                let exact = sources.len() < 2 && inputs.iter().all(|i| i.exact);
                let fired = inputs.iter().any(|i| i.fired);
                let events = inputs.into_iter().flat_map(|i| i.events).collect();
                Ok(Relation { events, ordered: false, exact, fired, sources })
            }
            RelOp::Sink { input, .. } => self.relation(input, needed),
            RelOp::Expand { input, projections } => {
                let wanted = projections.iter().flat_map(|p| p.iter().zip(needed).filter(|(_, n)| **n).map(|(e, _)| e));
                let read = read_by(wanted, input.schema.len());
                let input = self.relation(input, &read)?;
                let mut events = vec![];
                for event in &input.events {
                    for projection in projections {
                        let value = |(e, needed): (&Expr, &bool)| {
                            if *needed { lazily(e, &event.values) } else { Ok(Value::Null) }
                        };
                        let values = projection.iter().zip(needed).map(value).collect::<Evaluated<Vec<_>>>()?;
                        events.push(Event { values, ..event.clone() });
                    }
                }
                Ok(Relation { ordered: false, ..input.with(events) })
            }
            RelOp::Rank { input, order, offset, end } => {
                let width = input.schema.len();
                let input = self.relation(input, &vec![true; width])?;
                let determined = (0..width).all(|c| order.iter().any(|key| key.column == c));
                if !determined && !input.ordered {
                    return unsupported("a limit of rows without an order");
                }
                let rows = sorted(self.remaining(&input.events)?, order)?;
                let places = rows.into_iter().enumerate().map(|(i, row)| (i as u64, row));
                let taken = places.filter(|(i, _)| *i >= *offset && end.is_none_or(|end| *i < end));
                let rows = taken.map(|(_, row)| row).collect();
                Ok(input.settled(rows))
            }
            RelOp::TemporalSort { input, time, .. } => {
                let ty = &input.schema.columns()[*time].ty;
                let input = self.relation(input, &vec![true; input.schema.len()])?;
                let events = in_time(&input, *time, ty)?;
                Ok(Relation { ordered: false, fired: true, ..input.with(events) })
            }
            RelOp::SemiJoin { left, right, anti } => {
                let all = vec![true; left.schema.len()];
                let (left, right) = (self.relation(left, &all)?, self.relation(right, &all)?);
                let there = self.remaining(&right.events)?;
                let mut rows = self.remaining(&left.events)?;
                rows.retain(|row| there.iter().any(|other| same_rows(row, other)) != *anti);
                let sources = right.sources;
                let mut relation = left.settled(rows);
                relation.sources.extend(sources);
                Ok(relation)
            }
            RelOp::Correlate { input, function, column, outer } => {
                let width = rel.schema.len() - input.schema.len();
                let input = self.relation(input, &vec![true; input.schema.len()])?;
                let mut events = vec![];
                for event in &input.events {
                    for values in correlated(&event.values, *function, *column, *outer, width)? {
                        events.push(Event { values, ..event.clone() });
                    }
                }
                Ok(Relation { ordered: false, ..input.with(events) })
            }
            other => unsupported(format!("{other:?}")),
        }
    }

    fn scan(&self, table: &TableDef, columns: &[usize]) -> Evaluated<Relation> {
        let Some(changes) = self.inputs.get(&table.path.name) else {
            return unsupported(format!("table '{}' without input", table.path));
        };
        let mut events = vec![];
        let mut watermark = i64::MIN;
        // Upserts replace the row of their key.
        let upserts = table.option("format") == Some("upserts");
        let mut by_key: Vec<Vec<Value>> = vec![];
        for change in changes {
            let row = table_row(table, &change.values)?;
            let mut mark = None;
            if let Some(w) = &table.watermark {
                // A row without a time does not get in.
                if millis(&row[w.column], &table.columns[w.column].ty)?.is_none() {
                    continue;
                }
                mark = millis(&lazily(&w.expr, &row)?, &w.expr.ty())?;
            }
            let mut push = |adds: bool, row: &[Value]| {
                let values = columns.iter().map(|c| row[*c].clone()).collect();
                events.push(Event { adds, values, watermark });
            };
            if upserts {
                let same_key = |old: &Vec<Value>| table.primary_key.iter().all(|k| old[*k].same(&row[*k]));
                let old = by_key.iter().position(same_key).map(|at| by_key.swap_remove(at));
                let adds = change.kind.adds();
                if !adds || !old.as_ref().is_some_and(|old| same_rows(old, &row)) {
                    if let Some(old) = &old {
                        push(false, old);
                    }
                    if adds {
                        push(true, &row);
                    }
                }
                if adds {
                    by_key.push(row);
                }
            } else {
                push(change.kind.adds(), &row);
            }
            watermark = mark.map_or(watermark, |mark| watermark.max(mark));
        }
        let ordered = table.option("format") == Some("rows");
        Ok(Relation { events, ordered, exact: true, fired: false, sources: [table.path.full()].into() })
    }
}

/// Rows by these keys; rows that are equal there stay as they came.
fn sorted(mut rows: Vec<Vec<Value>>, order: &[SortKey]) -> Evaluated<Vec<Vec<Value>>> {
    let mut incomparable = false;
    rows.sort_by(|a, b| {
        for key in order {
            let (a, b) = (&a[key.column], &b[key.column]);
            let found = match (a.is_null(), b.is_null()) {
                (true, true) => Ordering::Equal,
                (true, false) => {
                    if key.nulls_first {
                        Ordering::Less
                    } else {
                        Ordering::Greater
                    }
                }
                (false, true) => {
                    if key.nulls_first {
                        Ordering::Greater
                    } else {
                        Ordering::Less
                    }
                }
                (false, false) => {
                    let order = a.compare(b).unwrap_or_else(|| {
                        incomparable = true;
                        Ordering::Equal
                    });
                    if key.descending { order.reverse() } else { order }
                }
            };
            if found.is_ne() {
                return found;
            }
        }
        Ordering::Equal
    });
    if incomparable { unsupported("an order of what has none") } else { Ok(rows) }
}

/// The events that a sort by time lets through: a row is late when one of its time or a later one has left.
fn in_time(input: &Relation, time: usize, ty: &LogicalType) -> Evaluated<Vec<Event>> {
    let mut waiting: Vec<i64> = vec![];
    let mut left: Option<i64> = None;
    let mut risen = i64::MIN;
    let mut events = vec![];
    for event in &input.events {
        let Some(time) = millis(&event.values[time], ty)? else { continue };
        // Rows leave as the watermark rises, not when they come behind it.
        if event.watermark > risen {
            risen = event.watermark;
            left = left.max(waiting.iter().copied().filter(|t| *t <= risen).max());
        }
        if left.is_some_and(|left| time <= left) {
            if !input.exact {
                return unsupported("lateness that depends on how inputs interleave");
            }
            continue;
        }
        waiting.push(time);
        events.push(Event { watermark: i64::MIN, ..event.clone() });
    }
    Ok(events)
}

/// A row beside what the function makes of its column.
fn correlated(
    row: &[Value],
    function: TableFunction,
    column: usize,
    outer: bool,
    width: usize,
) -> Evaluated<Vec<Vec<Value>>> {
    let mut given: Vec<Vec<Value>> = vec![];
    match (function, &row[column]) {
        (TableFunction::ReplicateRows, Value::Integer(times)) => {
            return Ok((0..*times).map(|_| row.to_vec()).collect());
        }
        (TableFunction::Unnest { ordinality }, Value::Array(elements)) => {
            for (i, element) in elements.iter().enumerate() {
                let mut values = match element {
                    Value::Row(_) => return unsupported("UNNEST of rows"),
                    other => vec![other.clone()],
                };
                if ordinality {
                    values.push(Value::Integer(i as i64 + 1));
                }
                given.push(values);
            }
        }
        (_, Value::Null) => {}
        (function, other) => return unsupported(format!("{function:?} of {other}")),
    }
    if given.is_empty() && outer {
        given.push(vec![Value::Null; width]);
    }
    Ok(given.into_iter().map(|values| row.iter().cloned().chain(values).collect()).collect())
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
