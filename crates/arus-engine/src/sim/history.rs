//! What clients have sent, what they were told, and what follows from it: the reference that a run is held to.

use std::collections::{BTreeMap, BTreeSet};

use arus_core::read::Cut;

/// A record of topic `t`, by its id.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) k: i64,
    pub(super) v: i64,
    pub(super) ts_ms: i64,
    /// No JSON: it belongs into the quarantine.
    pub(super) bad: bool,
}

/// Behind the highest time, as the table declares it.
const DELAY_MS: i64 = 2_000;
pub(super) const WINDOW_MS: i64 = 10_000;

impl Row {
    pub(super) fn json(&self, id: usize) -> String {
        if self.bad {
            return format!("{{\"id\":{id},");
        }
        let s = self.ts_ms / 1_000;
        let time = format!("2024-01-01 {:02}:{:02}:{:02}.{:03}", s / 3_600, s / 60 % 60, s % 60, self.ts_ms % 1_000);
        format!("{{\"id\":{id},\"k\":{},\"v\":{},\"ts\":\"{time}\"}}", self.k, self.v)
    }
}

#[derive(Default)]
pub(super) struct History {
    /// By id.
    pub(super) rows: Vec<Row>,
    pub(super) acknowledged: BTreeSet<usize>,
    /// Of the keyed table that clients write, by key: what was acknowledged last, what was sent last.
    pub(super) keyed: BTreeMap<i64, (i64, i64)>,
    /// The newest cut that was called durable.
    pub(super) durable: Cut2,
    /// What readers have seen of topic `calc`, by offset.
    pub(super) calc: Vec<i64>,
    /// What stood in files that have their names.
    pub(super) files: BTreeSet<i64>,
    pub(super) statements: BTreeSet<String>,
    pub(super) incarnation: u64,
    /// The newest epoch that a reader saw in this incarnation.
    pub(super) epoch: u64,
}

/// A cut that can be compared: the epoch alone counts after a restart.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Cut2 {
    pub(super) incarnation: u64,
    pub(super) epoch: u64,
}

impl From<Cut> for Cut2 {
    fn from(cut: Cut) -> Self {
        Cut2 { incarnation: cut.incarnation, epoch: cut.epoch }
    }
}

/// What a partition of the log holds, by offset: the id, or nothing where the record is no JSON.
pub(super) type Entries = Vec<Option<usize>>;

/// The tables after a prefix of the log, computed in one go. Rows are sorted.
#[derive(Default)]
pub(super) struct Batch {
    by_key: BTreeMap<i64, (i64, i64)>,
    windows: BTreeMap<i64, (i64, i64)>,
    watermark: i64,
    pub(super) late: usize,
    pub(super) bad: usize,
    ids: Vec<i64>,
}

impl Batch {
    pub(super) fn of<'a>(history: &History, entries: impl Iterator<Item = &'a Option<usize>>) -> Batch {
        let mut batch = Batch { watermark: i64::MIN, ..Batch::default() };
        for entry in entries {
            let Some(id) = entry else {
                batch.bad += 1;
                continue;
            };
            let row = &history.rows[*id];
            batch.ids.push(*id as i64);
            let (n, total) = batch.by_key.entry(row.k).or_default();
            *n += 1;
            *total += row.v;
            let window = row.ts_ms / WINDOW_MS * WINDOW_MS;
            if window + WINDOW_MS - 1 <= batch.watermark {
                batch.late += 1;
            } else {
                let (n, total) = batch.windows.entry(window).or_default();
                *n += 1;
                *total += row.v;
            }
            batch.watermark = batch.watermark.max(row.ts_ms - DELAY_MS);
        }
        batch
    }

    pub(super) fn by_key(&self) -> Vec<Vec<i64>> {
        self.by_key.iter().map(|(k, (n, total))| vec![*k, *n, *total]).collect()
    }

    /// Windows that the watermark has closed: start, how often it fired, rows, total.
    pub(super) fn windows(&self) -> Vec<Vec<i64>> {
        let closed = self.windows.iter().filter(|(start, _)| **start + WINDOW_MS - 1 <= self.watermark);
        closed.map(|(start, (n, total))| vec![DAY_MS + start, 1, *n, *total]).collect()
    }

    /// What topic `calc` gets: (id, twice the value).
    pub(super) fn calc(&self, history: &History) -> Vec<i64> {
        self.ids.iter().copied().filter(|id| history.rows[*id as usize].v >= 0).collect()
    }

    /// What the files get.
    pub(super) fn files(&self, history: &History) -> BTreeSet<i64> {
        self.ids.iter().copied().filter(|id| history.rows[*id as usize].v % 2 == 0).collect()
    }
}

/// 2024-01-01.
const DAY_MS: i64 = 1_704_067_200_000;

/// How often each id stands there.
pub(super) fn counted(ids: &[i64]) -> Vec<Vec<i64>> {
    let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
    ids.iter().for_each(|id| *counts.entry(*id).or_default() += 1);
    counts.into_iter().map(|(id, n)| vec![id, n]).collect()
}
