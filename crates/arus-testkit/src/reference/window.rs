//! Windows over event time.
//!
//! A row belongs to the windows that hold its time. It is late for one of them when the watermark before it has reached the
//! window's end less 1 ms: an aggregate leaves it out there, the table function alone does not. A session is different: a
//! row joins the sessions that have not ended yet and lie within the gap, and is late when it would be alone in one that is
//! over.

use arus_core::RowSchema;
use arus_core::plan::{AggregateCall, Window, WindowKind, WindowProperty};
use arus_core::types::{LogicalType, TypeKind, units_per_ms};

use super::aggregate;
use super::expr::{Evaluated, unsupported};
use super::relation::{Event, Interpreter, Relation, millis};
use super::value::{Value, same_rows};

/// Start and end, in ms.
type Bounds = (i64, i64);

/// The windows of a time that do not depend on other rows.
fn windows(kind: WindowKind, time: i64) -> Evaluated<Vec<Bounds>> {
    let last_start = |slide: i64, offset: i64| time - (time - offset).rem_euclid(slide);
    Ok(match kind {
        WindowKind::Tumble { size_ms, offset_ms } => {
            let start = last_start(size_ms, offset_ms);
            vec![(start, start + size_ms)]
        }
        WindowKind::Hop { size_ms, slide_ms, offset_ms } => {
            let last = last_start(slide_ms, offset_ms);
            let starts = (0..).map(|i| last - i * slide_ms).take_while(|start| start + size_ms > time);
            starts.map(|start| (start, start + size_ms)).collect()
        }
        WindowKind::Cumulate { size_ms, step_ms, offset_ms } => {
            let start = last_start(size_ms, offset_ms);
            let ends = (1..=size_ms / step_ms).map(|i| start + i * step_ms).filter(|end| *end > time);
            ends.map(|end| (start, end)).collect()
        }
        WindowKind::Session { .. } => return unsupported("a session without its rows"),
    })
}

/// Each event with the windows in which it counts. `keys`: what has sessions of its own; `drops`: whether late rows are
/// left out.
fn placed(input: &Relation, window: &Window, keys: &[usize], drops: bool) -> Evaluated<Vec<(Bounds, Event)>> {
    if let (WindowKind::Session { gap_ms }, None) = (window.kind, &window.attached) {
        return sessions(input, window, keys, gap_ms);
    }
    let mut placed = vec![];
    for event in &input.events {
        let bounds = match &window.attached {
            Some(attached) => {
                let plain = TypeKind::Timestamp { precision: 3, attribute: arus_core::TimeAttribute::None }.not_null();
                let at = |column: usize| millis(&event.values[column], &plain);
                match (at(attached.start)?, at(attached.end)?) {
                    (Some(start), Some(end)) => vec![(start, end)],
                    _ => return unsupported("a row without its window"),
                }
            }
            None => match millis(&event.values[window.time], &window.time_type)? {
                Some(time) => windows(window.kind, time)?,
                None => continue,
            },
        };
        for bounds in bounds {
            if drops && event.watermark >= bounds.1 - 1 {
                if !input.exact {
                    return unsupported("lateness that depends on how inputs interleave");
                }
                continue;
            }
            placed.push((bounds, event.clone()));
        }
    }
    Ok(placed)
}

struct Session {
    key: Vec<Value>,
    bounds: Bounds,
    events: Vec<Event>,
    over: bool,
}

fn sessions(input: &Relation, window: &Window, keys: &[usize], gap: i64) -> Evaluated<Vec<(Bounds, Event)>> {
    if !input.exact {
        return unsupported("sessions that depend on how inputs interleave");
    }
    let mut all: Vec<Session> = vec![];
    for event in &input.events {
        let Some(time) = millis(&event.values[window.time], &window.time_type)? else { continue };
        for session in &mut all {
            session.over |= event.watermark >= session.bounds.1 - 1;
        }
        let key: Vec<Value> = keys.iter().map(|k| event.values[*k].clone()).collect();
        let mut joined = Session { key, bounds: (time, time + gap), events: vec![event.clone()], over: false };
        // Sessions that touch are one.
        while let Some(at) = all.iter().position(|s| {
            let touches = s.bounds.0 <= joined.bounds.1 && s.bounds.1 >= joined.bounds.0;
            !s.over && touches && same_rows(&s.key, &joined.key)
        }) {
            let other = all.remove(at);
            if input.fired && (other.bounds.0 == joined.bounds.1 || other.bounds.1 == joined.bounds.0) {
                return unsupported("sessions that meet as one of them may end");
            }
            joined.bounds = (joined.bounds.0.min(other.bounds.0), joined.bounds.1.max(other.bounds.1));
            joined.events.splice(0..0, other.events);
        }
        if event.watermark < joined.bounds.1 - 1 {
            all.push(joined);
        }
    }
    // A row that joins two sessions can take another along that had left alone.
    for session in &all {
        let mut rows: Vec<&Event> = vec![];
        for event in &session.events {
            if event.adds {
                rows.push(event);
            } else if let Some(at) = rows.iter().rposition(|row| same_rows(&row.values, &event.values)) {
                rows.remove(at);
            } else {
                return unsupported("a row taken back in another session than its own");
            }
        }
    }
    Ok(all.into_iter().flat_map(|s| s.events.into_iter().map(move |e| (s.bounds, e))).collect())
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
    let session = matches!(window.kind, WindowKind::Session { .. });
    if session && input.events.iter().any(Event::is_failed) {
        return unsupported("a session of rows that may fail");
    }
    let plain = window.time_type.clone().without_time_attribute();
    let mut events = vec![];
    for (bounds, mut event) in placed(&input, window, &window.partition, false)? {
        for p in [WindowProperty::Start, WindowProperty::End, WindowProperty::Time] {
            event.values.push(property(p, bounds, &plain)?);
        }
        // The rows of a session leave when it is over.
        if session {
            event.watermark = i64::MIN;
        }
        events.push(event);
    }
    let (ordered, fired) = (input.ordered && !session, input.fired || session);
    Ok(Relation { events, ordered, fired, ..input })
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
    // A row that fails is in no window.
    let input = interpreter.without_failed(input);
    let mut by_window: Vec<(Bounds, Vec<Event>)> = vec![];
    for (bounds, event) in placed(&input, window, keys, true)? {
        match by_window.iter_mut().find(|(b, _)| *b == bounds) {
            Some((_, events)) => events.push(event),
            None => by_window.push((bounds, vec![event])),
        }
    }
    let mut rows = vec![];
    for (bounds, events) in by_window {
        // Windows that are put together from parts have their rows in the order of the parts.
        let ordered = input.ordered && matches!(window.kind, WindowKind::Tumble { .. });
        let part = Relation { events, ordered, ..input.part() };
        for mut row in aggregate::groups(interpreter, &part, keys, calls, schema)? {
            for p in properties {
                row.push(property(*p, bounds, &window.time_type)?);
            }
            rows.push(row);
        }
    }
    Ok(Relation { fired: true, ..input.settled(rows) })
}
