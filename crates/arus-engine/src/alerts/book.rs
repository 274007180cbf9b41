//! What an alert knows: which of its cases are firing, what has happened, whom it has still to tell.
//!
//! A book is one value that is saved as a whole, so that a change of it counts wholly or not at all: a case that fires, its event
//! with its id, and the notifications that follow from it are one change. It sees no clock: whoever changes it says what time
//! it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arus_core::change::arrow_bug;
use arus_core::delivery::FIRST_MARK;
use arus_core::limits::{ALERT_CASE_ROWS, ALERT_CASES, ALERT_EVENTS, ALERT_MESSAGES, ALERT_SUMMARY_CHARS};
use arus_core::read::Cut;
use arus_core::{ChangeBatch, Error, Result};
use arus_sql::{AlertDef, Notify, Piece, Severity};
use arus_stream::rows_as_json;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use xxhash_rust::xxh3::xxh3_64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    Fired,
    Resolved,
    Repeated,
    NoData,
    DataAgain,
    Test,
}

impl What {
    pub(crate) fn name(self) -> &'static str {
        match self {
            What::Fired => "fired",
            What::Resolved => "resolved",
            What::Repeated => "repeated",
            What::NoData => "no data",
            What::DataAgain => "data again",
            What::Test => "test",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Event {
    /// Counts up: with the alert's deployment it is the event's id.
    pub(crate) number: u64,
    pub(crate) at_ms: i64,
    pub(crate) what: What,
    pub(crate) severity: String,
    /// A JSON object of the key's columns.
    pub(crate) key: String,
    pub(crate) summary: String,
    pub(crate) row: Value,
    /// Nobody was told.
    pub(crate) silenced: bool,
    /// When the case began to fire.
    pub(crate) since_ms: i64,
}

/// A case that fires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Case {
    /// The newest row.
    pub(crate) row: Value,
    pub(crate) summary: String,
    /// Hashes of the rows that stand for it.
    pub(crate) rows: Vec<u64>,
    pub(crate) since_ms: i64,
    pub(crate) changed_ms: i64,
    /// When somebody was last told; `None`: nobody was, the alert is silenced.
    pub(crate) told_ms: Option<i64>,
    /// The event with which it fired; 0 before it.
    pub(crate) event: u64,
}

/// A notification that has not been taken yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// Its notifier: the place in the alert's list.
    pub(crate) to: usize,
    pub(crate) event: Event,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Book {
    /// The rows of all checkpoints up to here are in it.
    pub(crate) cut: Cut,
    /// Of the last event.
    pub(crate) number: u64,
    /// By the key as JSON.
    pub(crate) cases: BTreeMap<String, Case>,
    pub(crate) no_data: Option<Case>,
    /// [`i64::MAX`]: until further notice.
    pub(crate) silenced_until_ms: Option<i64>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) waiting: VecDeque<Waiting>,
    /// Hashes of the notifiers by which `waiting` counts; empty: those of the definition.
    #[serde(default)]
    pub(crate) notifiers: Vec<u64>,
    pub(crate) fired: u64,
    /// Cases for which there was no room.
    pub(crate) left_out: u64,
    /// Notifications for which there was no room.
    pub(crate) dropped: u64,
    pub(crate) delivered: u64,
}

/// A row that came or went.
pub(crate) struct Row {
    pub(crate) adds: bool,
    /// A JSON object.
    pub(crate) text: String,
}

impl Row {
    /// Decimals are strings, so that whoever reads them loses no digit.
    pub(crate) fn of(batch: &ChangeBatch) -> Result<Vec<Row>> {
        let rows = batch.rows();
        let exact = |column: &ArrayRef| match column.data_type() {
            DataType::Decimal128(..) => cast(column, &DataType::Utf8),
            _ => Ok(column.clone()),
        };
        let columns: Vec<ArrayRef> = rows.columns().iter().map(exact).collect::<Result<_, _>>().map_err(arrow_bug)?;
        let schema = rows.schema();
        let field = |(f, c): (&Arc<Field>, &ArrayRef)| Field::new(f.name(), c.data_type().clone(), true);
        let fields: Vec<Field> = schema.fields().iter().zip(&columns).map(field).collect();
        let schema = Arc::new(Schema::new(fields));
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let exact = RecordBatch::try_new_with_options(schema, columns, &options).map_err(arrow_bug)?;
        let indices: Vec<u32> = (0..batch.num_rows() as u32).collect();
        let texts = rows_as_json(&exact, &indices)?.into_iter().enumerate();
        Ok(texts.map(|(i, text)| Row { adds: batch.kind(i).adds(), text }).collect())
    }
}

/// Cases that a checkpoint's rows have touched.
#[derive(Default)]
pub(crate) struct Touched(BTreeSet<String>);

impl Book {
    pub(crate) fn new() -> Self {
        Book {
            cut: FIRST_MARK,
            number: 0,
            cases: BTreeMap::new(),
            no_data: None,
            silenced_until_ms: None,
            events: VecDeque::new(),
            waiting: VecDeque::new(),
            notifiers: vec![],
            fired: 0,
            left_out: 0,
            dropped: 0,
            delivered: 0,
        }
    }

    pub(crate) fn is_silenced(&self, now_ms: i64) -> bool {
        self.silenced_until_ms.is_some_and(|until| now_ms < until)
    }

    /// From here on it goes by this definition: messages to those who are no notifiers any more go, and are counted.
    pub(crate) fn go_by(&mut self, def: &AlertDef) {
        let now: Vec<u64> = def.notify.iter().map(|n| xxh3_64(format!("{n:?}").as_bytes())).collect();
        let before = std::mem::replace(&mut self.notifiers, now);
        let count = self.waiting.len();
        let place = |to: usize| match before.get(to) {
            Some(print) => self.notifiers.iter().position(|n| n == print),
            None => Some(to).filter(|to| before.is_empty() && *to < self.notifiers.len()),
        };
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting = waiting.into_iter().filter_map(|w| Some(Waiting { to: place(w.to)?, ..w })).collect();
        self.dropped += (count - self.waiting.len()) as u64;
        if def.no_data.is_none() {
            self.no_data = None;
        }
    }

    // ---- rows

    /// Takes rows in their order. What follows from them is done by [`Self::settle`], once for all rows of a checkpoint: the two
    /// halves of an update are no end and no beginning.
    pub(crate) fn take(&mut self, def: &AlertDef, rows: &[Row], now_ms: i64, touched: &mut Touched) -> Result<()> {
        for row in rows {
            let value: Value =
                serde_json::from_str(&row.text).map_err(|e| Error::bug(format!("a row of an alert: {e}")))?;
            let key = key_of(def, &value);
            let hash = xxh3_64(row.text.as_bytes());
            if !row.adds {
                let Some(case) = self.cases.get_mut(&key) else { continue };
                if let Some(at) = case.rows.iter().position(|h| *h == hash) {
                    case.rows.remove(at);
                    touched.0.insert(key);
                }
                continue;
            }
            if !self.cases.contains_key(&key) && self.cases.len() >= ALERT_CASES {
                self.left_out += 1;
                continue;
            }
            let summary = summary(def, &value);
            let case = self.cases.entry(key.clone()).or_insert_with(|| Case {
                row: Value::Null,
                summary: String::new(),
                rows: vec![],
                since_ms: now_ms,
                changed_ms: now_ms,
                told_ms: None,
                event: 0,
            });
            if !def.appends {
                if case.rows.len() >= ALERT_CASE_ROWS {
                    case.rows.remove(0);
                }
                case.rows.push(hash);
            }
            (case.row, case.summary, case.changed_ms) = (value, summary, now_ms);
            touched.0.insert(key);
        }
        Ok(())
    }

    pub(crate) fn settle(&mut self, def: &AlertDef, touched: Touched, now_ms: i64) {
        for key in touched.0 {
            if self.cases.get(&key).is_some_and(|case| case.event == 0) {
                self.fire(def, &key, now_ms);
            }
            if !def.appends && self.cases.get(&key).is_some_and(|case| case.rows.is_empty()) {
                self.resolve(def, &key, now_ms);
            }
        }
    }

    fn fire(&mut self, def: &AlertDef, key: &str, now_ms: i64) {
        let Some(case) = self.cases.get(key).cloned() else { return };
        self.fired += 1;
        let number = self.tell(def, What::Fired, def.severity, key, &case, now_ms);
        let told = !self.is_silenced(now_ms);
        if let Some(case) = self.cases.get_mut(key) {
            case.event = number;
            case.told_ms = told.then_some(now_ms);
        }
    }

    fn resolve(&mut self, def: &AlertDef, key: &str, now_ms: i64) {
        if let Some(case) = self.cases.remove(key) {
            self.tell(def, What::Resolved, def.severity, key, &case, now_ms);
        }
    }

    // ---- time

    /// Whether [`Self::tick`] has something to do.
    pub(crate) fn is_due(&self, def: &AlertDef, now_ms: i64, quiet_ms: Option<i64>) -> bool {
        let silenced = self.is_silenced(now_ms);
        let no_data =
            def.no_data.zip(quiet_ms).is_some_and(|((after, _), quiet)| (quiet >= after) != self.no_data.is_some());
        no_data
            || self.silenced_until_ms.is_some_and(|until| now_ms >= until)
            || self.cases.values().any(|case| {
                is_over(def, case, now_ms) || !silenced && (case.told_ms.is_none() || is_to_repeat(def, case, now_ms))
            })
            || !silenced && self.no_data.as_ref().is_some_and(|case| is_to_repeat(def, case, now_ms))
    }

    /// What time alone does: ends, repetitions, the end of a silence, the absence of data. `quiet_ms`: for how long no row has
    /// come, where that is known.
    pub(crate) fn tick(&mut self, def: &AlertDef, now_ms: i64, quiet_ms: Option<i64>) {
        if self.silenced_until_ms.is_some_and(|until| now_ms >= until) {
            self.silenced_until_ms = None;
        }
        let over: Vec<String> =
            self.cases.iter().filter(|(_, case)| is_over(def, case, now_ms)).map(|(key, _)| key.clone()).collect();
        over.iter().for_each(|key| self.resolve(def, key, now_ms));
        if let (Some((after, severity)), Some(quiet)) = (def.no_data, quiet_ms) {
            self.note_data(def, severity, quiet >= after, now_ms);
        }
        if self.is_silenced(now_ms) {
            return;
        }
        let keys: Vec<String> = self.cases.keys().cloned().collect();
        for key in keys {
            let Some(case) = self.cases.get(&key).cloned() else { continue };
            if case.told_ms.is_none() {
                self.tell_late(def, &key, &case);
            } else if is_to_repeat(def, &case, now_ms) {
                self.tell(def, What::Repeated, def.severity, &key, &case, now_ms);
            } else {
                continue;
            }
            if let Some(case) = self.cases.get_mut(&key) {
                case.told_ms = Some(now_ms);
            }
        }
        let missing = self.no_data.clone().filter(|case| is_to_repeat(def, case, now_ms));
        if let (Some(mut case), Some((_, severity))) = (missing, def.no_data) {
            self.tell(def, What::Repeated, severity, "{}", &case, now_ms);
            case.told_ms = Some(now_ms);
            self.no_data = Some(case);
        }
    }

    fn note_data(&mut self, def: &AlertDef, severity: Severity, missing: bool, now_ms: i64) {
        match (missing, self.no_data.take()) {
            (true, None) => {
                let mut case = Case {
                    row: Value::Null,
                    summary: format!("{}: no data", def.path),
                    rows: vec![],
                    since_ms: now_ms,
                    changed_ms: now_ms,
                    told_ms: Some(now_ms),
                    event: 0,
                };
                case.event = self.tell(def, What::NoData, severity, "{}", &case, now_ms);
                self.no_data = Some(case);
            }
            (false, Some(case)) => {
                self.tell(def, What::DataAgain, severity, "{}", &case, now_ms);
            }
            (_, case) => self.no_data = case,
        }
    }

    // ---- people

    pub(crate) fn silence(&mut self, until_ms: Option<i64>) {
        self.silenced_until_ms = until_ms;
    }

    /// A notification by way of trial: silence does not hold it.
    pub(crate) fn test(&mut self, def: &AlertDef, now_ms: i64) -> u64 {
        let row: Map<String, Value> =
            def.columns.iter().map(|name| (name.clone(), Value::String(format!("<{name}>")))).collect();
        let row = Value::Object(row);
        let event = Event {
            number: self.number + 1,
            at_ms: now_ms,
            what: What::Test,
            severity: def.severity.name().into(),
            key: key_of(def, &row),
            summary: format!("test: {}", summary(def, &row)),
            row,
            silenced: false,
            since_ms: now_ms,
        };
        self.note(event.clone());
        self.send(def, &event);
        event.number
    }

    /// Notes an event and tells it; its number.
    fn tell(&mut self, def: &AlertDef, what: What, severity: Severity, key: &str, case: &Case, now_ms: i64) -> u64 {
        // Of a beginning that nobody was told of nobody needs the end.
        let unknown = what == What::Resolved && case.told_ms.is_none();
        let silenced = self.is_silenced(now_ms) || unknown;
        let event = event(self.number + 1, what, severity, key, case, now_ms, silenced);
        self.note(event.clone());
        if !silenced {
            self.send(def, &event);
        }
        event.number
    }

    /// A silence is over, and what fired in it still does: told with the id of that event.
    fn tell_late(&mut self, def: &AlertDef, key: &str, case: &Case) {
        let event = event(case.event, What::Fired, def.severity, key, case, case.since_ms, false);
        self.send(def, &event);
    }

    fn note(&mut self, event: Event) {
        self.number = event.number;
        self.events.push_back(event);
        while self.events.len() > ALERT_EVENTS {
            self.events.pop_front();
        }
    }

    fn send(&mut self, def: &AlertDef, event: &Event) {
        for to in 0..def.notify.len() {
            if self.waiting.iter().filter(|w| w.to == to).count() >= ALERT_MESSAGES
                && let Some(oldest) = self.waiting.iter().position(|w| w.to == to)
            {
                self.waiting.remove(oldest);
                self.dropped += 1;
            }
            self.waiting.push_back(Waiting { to, event: event.clone() });
        }
    }

    /// The notifier has taken it.
    pub(crate) fn told(&mut self, to: usize, number: u64) {
        let before = self.waiting.len();
        self.waiting.retain(|w| w.to != to || w.event.number != number);
        self.delivered += (before - self.waiting.len()) as u64;
    }
}

fn event(number: u64, what: What, severity: Severity, key: &str, case: &Case, at_ms: i64, silenced: bool) -> Event {
    Event {
        number,
        at_ms,
        what,
        severity: severity.name().into(),
        key: key.into(),
        summary: case.summary.clone(),
        row: case.row.clone(),
        silenced,
        since_ms: case.since_ms,
    }
}

fn is_over(def: &AlertDef, case: &Case, now_ms: i64) -> bool {
    def.resolve_after_ms.is_some_and(|after| now_ms >= case.changed_ms.saturating_add(after))
}

fn is_to_repeat(def: &AlertDef, case: &Case, now_ms: i64) -> bool {
    let told = def.repeat_ms.zip(case.told_ms);
    told.is_some_and(|(repeat, told)| now_ms >= told.saturating_add(repeat))
}

/// The key's columns of a row, as a JSON object in the order of KEY.
fn key_of(def: &AlertDef, row: &Value) -> String {
    let fields: Vec<String> = def
        .key
        .iter()
        .map(|name| format!("{}:{}", Value::String(name.clone()), row.get(name).unwrap_or(&Value::Null)))
        .collect();
    format!("{{{}}}", fields.join(","))
}

fn summary(def: &AlertDef, row: &Value) -> String {
    let value = |name: &str| match row.get(name) {
        None | Some(Value::Null) => "null".to_string(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let text: String = match &def.summary {
        Some(summary) => summary
            .pieces()
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Column(name) => value(name),
            })
            .collect(),
        None => {
            let names = if def.key.is_empty() { &def.columns } else { &def.key };
            let shown: Vec<String> = names.iter().map(|name| format!("{name} {}", value(name))).collect();
            format!("{}: {}", def.path, shown.join(", "))
        }
    };
    text.chars().take(ALERT_SUMMARY_CHARS).collect()
}

/// A notifier as people know it.
pub(crate) fn label(notify: &Notify) -> String {
    match notify {
        Notify::Named(name) => name.clone(),
        Notify::Url(url) => arus_core::secret::shown("url", url),
    }
}
