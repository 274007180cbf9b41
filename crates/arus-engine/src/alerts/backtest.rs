//! EXPLAIN ALERT .. LAST: how often an alert would have fired over the rows that the log still has.
//!
//! The query runs once over one epoch, and its changes go to a book of their own. A row's time is that of the query's first time
//! column; without one all rows count as of now, and of a topic only those are read that were appended since.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arus_core::catalog::ObjectPath;
use arus_core::limits::BACKTEST_EVENTS;
use arus_core::plan::PhysicalPlan;
use arus_core::{ChangeBatch, Error, Result, RowKind};
use arus_sql::{AlertDef, Planned};

use super::book::{Book, Event, Row, Touched, What};
use super::shown::instant_text;
use crate::bounded;
use crate::ddl::settings_of;
use crate::published::Published;
use crate::shared::Shared;

pub(crate) const BACKTEST_COLUMNS: [&str; 4] = ["at", "event", "key", "summary"];

impl Shared {
    /// The first row says how often; then come the events. It may take as long as reading the log does.
    pub(crate) fn backtest(
        self: &Arc<Self>,
        path: &ObjectPath,
        last_ms: i64,
        published: &Arc<Published>,
    ) -> Result<Vec<Vec<Option<String>>>> {
        let alert = self.alert(path)?;
        let now_ms = self.config.clock.now_ms();
        let from_ms = now_ms.saturating_sub(last_ms);
        let (def, settings) = (alert.def(), settings_of(&alert.item()));
        let Planned::Select { plan, .. } = self.plan(&def.query, &settings, false)?.planned else {
            return Err(Error::bug(format!("the query of alert '{path}' is none")));
        };
        let starts = match def.time_column {
            Some(_) => None,
            None => self.starts_since(&plan, from_ms)?,
        };
        let mut trial = Trial::new(&def, from_ms, now_ms);
        for batch in bounded::changes_after(self, published, &plan, &settings, starts.as_deref())? {
            trial.take(&batch?)?;
        }
        Ok(trial.told(last_ms))
    }

    /// For each partition of the one topic that a plan reads, where the rows since then begin.
    fn starts_since(&self, plan: &PhysicalPlan, from_ms: i64) -> Result<Option<Vec<i64>>> {
        let mut scans = plan.scans();
        let (Some((_, scan)), None) = (scans.next(), scans.next()) else { return Ok(None) };
        let Some((table, _)) = self.table_of(&scan.table.path) else { return Ok(None) };
        let Some(topic) = table.topic().filter(|_| table.keyed().is_none()) else { return Ok(None) };
        let start = |partition: &Arc<arus_storage::log::Partition>| {
            Ok(partition.offset_for_time(from_ms)?.unwrap_or(partition.end_offset()))
        };
        topic.partitions().iter().map(start).collect::<Result<Vec<i64>>>().map(Some)
    }
}

/// An alert that tells nobody.
struct Trial {
    def: AlertDef,
    book: Book,
    from_ms: i64,
    now_ms: i64,
    /// Of the newest row.
    at_ms: i64,
    events: Vec<Event>,
    fired: u64,
    keys: BTreeSet<String>,
}

impl Trial {
    fn new(def: &AlertDef, from_ms: i64, now_ms: i64) -> Self {
        let def = AlertDef { notify: vec![], repeat_ms: None, no_data: None, ..def.clone() };
        let (at_ms, keys) = (i64::MIN, BTreeSet::new());
        Trial { def, book: Book::new(), from_ms, now_ms, at_ms, events: vec![], fired: 0, keys }
    }

    fn take(&mut self, batch: &ChangeBatch) -> Result<()> {
        let times = self.times(batch)?;
        let mut rows = Row::of(batch)?.into_iter();
        let mut row = 0;
        while row < batch.num_rows() {
            // The halves of an update are one step.
            let pair = batch.kind(row) == RowKind::UpdateBefore
                && row + 1 < batch.num_rows()
                && batch.kind(row + 1) == RowKind::UpdateAfter;
            let end = if pair { row + 2 } else { row + 1 };
            // Rows may come late: time does not go back.
            self.at_ms = self.at_ms.max(times[row]);
            self.pass(self.at_ms);
            let step: Vec<Row> = rows.by_ref().take(end - row).collect();
            let mut touched = Touched::default();
            self.book.take(&self.def, &step, self.at_ms, &mut touched)?;
            self.book.settle(&self.def, touched, self.at_ms);
            self.collect();
            row = end;
        }
        Ok(())
    }

    /// Time passes: cases end by RESOLVE AFTER, each at its own time.
    fn pass(&mut self, to_ms: i64) {
        let Some(after) = self.def.resolve_after_ms else { return };
        loop {
            let first = self.book.cases.values().map(|case| case.changed_ms.saturating_add(after)).min();
            let Some(end) = first.filter(|end| *end <= to_ms) else { return };
            self.book.tick(&self.def, end, None);
            self.collect();
        }
    }

    /// Moves what has happened out of the book.
    fn collect(&mut self) {
        for event in std::mem::take(&mut self.book.events) {
            if event.at_ms < self.from_ms {
                continue;
            }
            if event.what == What::Fired {
                self.fired += 1;
                self.keys.insert(event.key.clone());
            }
            if self.events.len() < BACKTEST_EVENTS {
                self.events.push(event);
            }
        }
    }

    /// The time of each row, in ms.
    fn times(&self, batch: &ChangeBatch) -> Result<Vec<i64>> {
        let rows = batch.num_rows();
        let column = self.def.time_column.as_deref().and_then(|name| batch.rows().column_by_name(name));
        let Some(column) = column else { return Ok(vec![self.now_ms; rows]) };
        let ms = |row: usize| {
            if column.is_null(row) {
                return Some(self.now_ms);
            }
            if let Some(values) = column.as_primitive_opt::<TimestampMillisecondType>() {
                return Some(values.value(row));
            }
            if let Some(values) = column.as_primitive_opt::<TimestampMicrosecondType>() {
                return Some(values.value(row).div_euclid(1_000));
            }
            if let Some(values) = column.as_primitive_opt::<TimestampNanosecondType>() {
                return Some(values.value(row).div_euclid(1_000_000));
            }
            column.as_primitive_opt::<TimestampSecondType>().map(|values| values.value(row).saturating_mul(1_000))
        };
        (0..rows).map(|row| ms(row).ok_or_else(|| Error::bug("a time column that is no timestamp"))).collect()
    }

    fn told(mut self, last_ms: i64) -> Vec<Vec<Option<String>>> {
        self.pass(self.now_ms);
        let times = if self.fired == 1 { "once" } else { &format!("{} times", self.fired) };
        let cases = if self.keys.len() == 1 { "1 case" } else { &format!("{} cases", self.keys.len()) };
        let mut total = format!("would have fired {times}, for {cases}, in the last {}", span(last_ms));
        if self.book.left_out > 0 {
            total.push_str(&format!("; {} more cases found no room", self.book.left_out));
        }
        if self.def.time_column.is_none() {
            total.push_str("; the query has no time column, so that all rows count as of now");
        }
        let mut rows = vec![vec![None, Some("total".into()), None, Some(total)]];
        rows.extend(self.events.into_iter().map(|event| {
            vec![Some(instant_text(event.at_ms)), Some(event.what.name().into()), Some(event.key), Some(event.summary)]
        }));
        rows
    }
}

/// `7 days`, `90 s`
fn span(ms: i64) -> String {
    let units = [(86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute")];
    match units.into_iter().find(|(unit, _)| ms % unit == 0) {
        Some((unit, name)) if ms / unit == 1 => name.into(),
        Some((unit, name)) => format!("{} {name}s", ms / unit),
        None => format!("{} s", ms as f64 / 1e3),
    }
}
