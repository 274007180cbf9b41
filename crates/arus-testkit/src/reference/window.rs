//! Windows over event time.
//!
//! A row belongs to the windows that hold its time. It is late for one of them when the watermark before it has reached the
//! window's end less 1 ms: an aggregate leaves it out there, the table function alone does not.

use arus_core::RowSchema;
use arus_core::plan::{AggregateCall, Window, WindowKind, WindowProperty};
use arus_core::types::{LogicalType, TypeKind, units_per_ms};

use super::aggregate;
use super::expr::{Evaluated, unsupported};
use super::relation::{Event, Interpreter, Relation, millis};
use super::value::Value;

/// Start and end, in ms.
type Bounds = (i64, i64);

fn windows(window: &Window, time: i64) -> Evaluated<Vec<Bounds>> {
    match window.kind {
        WindowKind::Tumble { size_ms, offset_ms } => {
            let start = time - (time - offset_ms).rem_euclid(size_ms);
            Ok(vec![(start, start + size_ms)])
        }
        #[expect(unreachable_patterns, reason = "the tree grows")]
        other => unsupported(format!("the window {other:?}")),
    }
}

/// A window property's value, in the unit of `ty`.
fn property(property: WindowProperty, (start, end): Bounds, ty: &LogicalType) -> Evaluated<Value> {
    let ms = match property {
        WindowProperty::Start => start,
        WindowProperty::End => end,
        WindowProperty::Time => end - 1,
    };
    match &ty.kind {
        TypeKind::Timestamp { precision, .. } => Ok(Value::Timestamp(ms * units_per_ms(*precision))),
        other => unsupported(format!("a window of {other}")),
    }
}

pub(crate) fn assign(input: Relation, window: &Window) -> Evaluated<Relation> {
    let mut events = vec![];
    for event in &input.events {
        let Some(time) = millis(&event.values[window.time], &window.time_type)? else { continue };
        for bounds in windows(window, time)? {
            let mut values = event.values.clone();
            let plain = window.time_type.clone().without_time_attribute();
            for p in [WindowProperty::Start, WindowProperty::End, WindowProperty::Time] {
                values.push(property(p, bounds, &plain)?);
            }
            events.push(Event { values, ..event.clone() });
        }
    }
    Ok(Relation { events, ..input })
}

/// One row a key and window: keys, calls, properties.
pub(crate) fn aggregate(
    interpreter: &Interpreter<'_>,
    input: Relation,
    window: &Window,
    keys: &[usize],
    calls: &[AggregateCall],
    properties: &[WindowProperty],
    schema: &RowSchema,
) -> Evaluated<Relation> {
    let mut by_window: Vec<(Bounds, Vec<Event>)> = vec![];
    for event in &input.events {
        let Some(time) = millis(&event.values[window.time], &window.time_type)? else { continue };
        for bounds in windows(window, time)? {
            if event.watermark >= bounds.1 - 1 {
                if !input.exact {
                    return unsupported("lateness that depends on how inputs interleave");
                }
                continue;
            }
            match by_window.iter_mut().find(|(b, _)| *b == bounds) {
                Some((_, events)) => events.push(event.clone()),
                None => by_window.push((bounds, vec![event.clone()])),
            }
        }
    }
    let mut rows = vec![];
    for (bounds, events) in by_window {
        let part = Relation { events, ..input.part() };
        for mut row in aggregate::groups(interpreter, &part, keys, calls, schema)? {
            for p in properties {
                row.push(property(*p, bounds, &window.time_type)?);
            }
            rows.push(row);
        }
    }
    Ok(input.settled(rows))
}
