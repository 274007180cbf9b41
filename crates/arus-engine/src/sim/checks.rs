//! What a run is held to: at each epoch that readers see, after each start, and at the end.

use std::collections::BTreeSet;
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use arus_core::catalog::ObjectPath;
use arus_core::fs::Fs;
use arus_storage::log::{Partition, ReadUpTo};
use arus_storage::table::TableSnapshot;

use super::history::{Batch, Cut2, counted};
use super::world::{REFUSED, World, Wrong};
use crate::jobs::{Job, JobStatus};
use crate::published::Published;

/// All rows of a snapshot whose columns are numbers and times, sorted.
fn rows_of(snapshot: &TableSnapshot) -> Result<Vec<Vec<i64>>, Wrong> {
    let columns: Vec<usize> = (0..snapshot.schema().len()).collect();
    let mut rows = vec![];
    for batch in snapshot.scan(&columns, None) {
        let batch = batch.map_err(|e| e.to_string())?;
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|c| arrow::compute::cast(c, &DataType::Int64).map_err(|e| e.to_string()))
            .collect::<Result<_, _>>()?;
        for row in 0..batch.num_rows() {
            rows.push(columns.iter().map(|c| c.as_primitive::<Int64Type>().value(row)).collect());
        }
    }
    rows.sort();
    Ok(rows)
}

/// The ids of records from an offset on; nothing for those that are no JSON.
fn ids_of(partition: &Partition, from: i64, upto: ReadUpTo) -> Result<Vec<Option<usize>>, Wrong> {
    let mut ids = vec![];
    let mut next = from;
    loop {
        let raw = partition.read_raw(next, 1 << 20, upto).map_err(|e| e.to_string())?;
        if raw.records.is_empty() {
            return Ok(ids);
        }
        for record in &raw.records {
            let value: Option<serde_json::Value> =
                record.value.and_then(|span| serde_json::from_slice(raw.bytes(span)).ok());
            ids.push(value.and_then(|v| v["id"].as_u64()).map(|id| id as usize));
        }
        next = from + ids.len() as i64;
    }
}

fn path(name: &str) -> ObjectPath {
    ObjectPath::in_default(name)
}

/// Of rows that were set aside.
fn side_ids(side: &TableSnapshot) -> Vec<String> {
    let batches = side.scan(&[0], None).filter_map(Result::ok);
    batches
        .flat_map(|b| b.column(0).as_string_view().iter().flatten().map(str::to_string).collect::<Vec<_>>())
        .collect()
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), Wrong> {
    if found == expected { Ok(()) } else { Err(format!("{what} is\n  {found:?}\nand should be\n  {expected:?}")) }
}

impl World {
    fn published(&self) -> Option<std::sync::Arc<Published>> {
        self.server.as_ref().map(|s| s.engine.shared.published())
    }

    /// After a start: what was told is there.
    pub(super) fn started(&mut self) -> Result<(), Wrong> {
        let Some(server) = &self.server else { return Ok(()) };
        let shared = server.engine.shared.clone();
        if shared.incarnation <= self.history.incarnation {
            // Bytes that landed on the end of the manifest look like an end that was never written.
            let excuse = if self.shape.misdirected { REFUSED } else { "" };
            let (found, before) = (shared.incarnation, self.history.incarnation);
            return Err(format!("{excuse}incarnation {found} comes after {before}"));
        }
        self.history.incarnation = shared.incarnation;
        let restored = Cut2::from(shared.durable.borrow().cut);
        self.say(|| format!("incarnation {} starts from {restored:?}", shared.incarnation));
        if restored.epoch > 0 {
            self.seen.restored += 1;
        }
        if restored.epoch < self.history.durable.epoch && !self.shape.misdirected {
            return Err(format!("restored {restored:?}, but {:?} was called durable", self.history.durable));
        }
        self.history.epoch = restored.epoch;
        self.history.durable = restored;
        let missing = |name: &&String| *name != "into" && shared.tables.get(&path(name)).is_none();
        let gone: Vec<_> = self.history.statements.iter().filter(missing).collect();
        if !gone.is_empty() {
            // The end of a file that landed elsewhere looks like an end that was never written.
            let excuse = if self.shape.misdirected { REFUSED } else { "" };
            return Err(format!("{excuse}these were made and are gone: {gone:?}"));
        }
        self.look()
    }

    /// Whether damage was found and reported: then loss is no lie.
    pub(super) fn damage_is_reported(&self) -> bool {
        let Some(server) = &self.server else { return false };
        let topics = server.engine.shared.log.topics();
        !server.engine.shared.state_damages.is_empty()
            || topics.iter().flat_map(|t| t.partitions()).any(|p| !p.damages().is_empty())
    }

    /// What readers see now.
    pub(super) fn look(&mut self) -> Result<(), Wrong> {
        let Some(published) = self.published() else { return Ok(()) };
        let Some(server) = &self.server else { return Ok(()) };
        self.history.durable = Cut2::from(server.engine.shared.durable.borrow().cut);
        let cut = Cut2::from(published.cut);
        if cut.incarnation != self.history.incarnation && cut.epoch != 0 {
            return Err(format!("readers see {cut:?} in incarnation {}", self.history.incarnation));
        }
        if cut.epoch < self.history.epoch {
            return Err(format!("readers saw epoch {} and now {cut:?}", self.history.epoch));
        }
        let new = cut.epoch > self.history.epoch;
        self.history.epoch = cut.epoch;
        if new {
            self.seen.epochs_checked += 1;
            self.seen.digest =
                self.seen.digest.wrapping_mul(31).wrapping_add(cut.epoch ^ self.history.acknowledged.len() as u64);
            self.check_epoch(&published).map_err(|e| format!("epoch {}: {e}", cut.epoch))?;
            self.check_files()?;
        }
        Ok(())
    }

    /// The partitions of topic `t`, read as far as they go.
    fn read_entries(&mut self) -> Result<(), Wrong> {
        let Some(server) = &self.server else { return Ok(()) };
        let Some(table) = server.engine.shared.tables.get(&path("t")) else { return Ok(()) };
        let Some(topic) = table.topic() else { return Ok(()) };
        self.entries.resize(topic.partitions().len(), vec![]);
        for (entries, partition) in self.entries.iter_mut().zip(topic.partitions()) {
            entries.extend(ids_of(partition, entries.len() as i64, ReadUpTo::End)?);
        }
        Ok(())
    }

    /// The batch computation over what a pipeline has covered of `t`; nothing while it does not run.
    fn covered(&self, published: &Published, pipeline: &str) -> Option<Batch> {
        let at = published.positions.iter().find(|((name, source), _)| name.contains(pipeline) && *source == path("t"));
        let (_, ends) = at?;
        let entries =
            self.entries.iter().zip(ends).flat_map(|(entries, end)| &entries[..(*end as usize).min(entries.len())]);
        Some(Batch::of(&self.history, entries))
    }

    /// Every table is what a batch computation gives over the offsets that its epoch covers.
    fn check_epoch(&mut self, published: &Published) -> Result<(), Wrong> {
        self.read_entries()?;
        let rows =
            |name: &str| published.tables.get(&path(name)).and_then(|t| t.rows.as_ref()).map(rows_of).transpose();
        if let (Some(batch), Some(found)) = (self.covered(published, "agg"), rows("agg")?) {
            equal("agg", &found, &batch.by_key())?;
        }
        if let (Some(batch), Some(found)) = (self.covered(published, "win"), rows("win")?) {
            equal("win", &found, &batch.windows())?;
        }
        self.check_calc(published)?;
        let at =
            published.positions.iter().find(|((name, source), _)| name.contains("chain") && *source == path("calc"));
        if let (Some((_, ends)), Some(found), Some(server)) = (at, rows("chain")?, &self.server)
            && let Some(table) = server.engine.shared.tables.get(&path("calc"))
            && let Some(partition) = table.topic().and_then(|t| t.partition(0))
        {
            let read = ids_of(partition, 0, ReadUpTo::End)?;
            let read: Vec<i64> = read.iter().take(ends[0] as usize).map(|id| id.map_or(-1, |id| id as i64)).collect();
            equal("chain", &found, &counted(&read))?;
        }
        Ok(())
    }

    /// At rest the table over `agg` is what a batch computation gives over its rows.
    fn check_sizes(&self, published: &Published) -> Result<(), Wrong> {
        let rows =
            |name: &str| published.tables.get(&path(name)).and_then(|t| t.rows.as_ref()).map(rows_of).transpose();
        let (Some(agg), Some(sizes)) = (rows("agg")?, rows("sizes")?) else { return Ok(()) };
        let numbers: Vec<i64> = agg.iter().map(|row| row[1]).collect();
        equal("sizes", &sizes, &counted(&numbers))
    }

    /// What readers have seen of a topic that a pipeline writes stays.
    fn check_calc(&mut self, published: &Published) -> Result<(), Wrong> {
        let Some(calc) = published.tables.get(&path("calc")) else { return Ok(()) };
        let (Some(topic), Some(end)) = (calc.table.topic(), calc.ends.first()) else { return Ok(()) };
        let Some(partition) = topic.partition(0) else { return Ok(()) };
        if (*end as usize) < self.history.calc.len() && !self.shape.misdirected {
            return Err(format!("calc ends at {end}, readers have seen {}", self.history.calc.len()));
        }
        let read = ids_of(partition, 0, ReadUpTo::Offset(*end))?;
        let read: Vec<i64> = read.into_iter().map(|id| id.map_or(-1, |id| id as i64)).collect();
        let seen = self.history.calc.len().min(read.len());
        equal("what readers have seen of calc", &&read[..seen], &&self.history.calc[..seen])?;
        self.history.calc = read;
        Ok(())
    }

    /// A row that stood in a file with its name stands there for ever, and once.
    fn check_files(&mut self) -> Result<(), Wrong> {
        // A sink's files are read by others and have no checksums: nobody notices bytes that land in them.
        if !self.history.statements.contains("files") || self.shape.misdirected {
            return Ok(());
        }
        let mut ids = BTreeSet::new();
        for entry in self.fs.list(Path::new("/data/files")).unwrap_or_default() {
            if entry.path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("part-")) {
                let bytes = self.fs.read(&entry.path).map_err(|e| e.to_string())?;
                for line in String::from_utf8_lossy(&bytes).lines() {
                    let id: i64 = line.parse().map_err(|e| format!("{}: '{line}': {e}", entry.path.display()))?;
                    if !ids.insert(id) {
                        return Err(format!("row {id} stands in files twice"));
                    }
                }
            }
        }
        // A name that the power failure took comes back when the pipeline does.
        let jobs = self.server.as_ref().map(|s| s.engine.shared.jobs.all()).unwrap_or_default();
        let waits = |job: &Job| job.spec.targets.contains(&path("files")) && job.status() != JobStatus::Running;
        if jobs.iter().any(|job| waits(job)) {
            return Ok(());
        }
        if let Some(id) = self.history.files.iter().find(|id| !ids.contains(id)) {
            return Err(format!("row {id} stood in a file and is gone"));
        }
        self.history.files = ids;
        Ok(())
    }

    // ---- rest ------------------------------------------------------------------------------------------

    /// Whether everything that was asked is answered and everything that was written is in the tables.
    pub(super) fn at_rest(&mut self) -> Result<bool, Wrong> {
        self.check_files()?;
        Ok(self.unrest().is_empty())
    }

    /// What is still to come.
    pub(super) fn unrest(&self) -> String {
        let (Some(published), Some(server)) = (self.published(), &self.server) else { return "no server".into() };
        if self.statements_left() || self.is_waiting() {
            return "clients wait".into();
        }
        if let Err(behind) = self.check_sizes(&published) {
            return behind;
        }
        let shared = &server.engine.shared;
        for job in shared.jobs.all() {
            let status = job.status();
            if status != JobStatus::Running {
                return format!("pipeline {} is {status:?}", job.spec.name);
            }
            // One that has just started again is in the next epoch.
            let read_by_offset = |source: &ObjectPath| {
                let table = shared.table_of(source);
                table.is_some_and(|(table, is_inbox)| is_inbox || table.topic().is_some())
            };
            for source in job.spec.sources.iter().filter(|source| read_by_offset(source)) {
                if !published.positions.keys().any(|(name, of)| *name == job.spec.name && of == source) {
                    return format!("pipeline {} is not in an epoch yet", job.spec.name);
                }
            }
        }
        for ((name, source), ends) in &published.positions {
            let Some((table, is_inbox)) = shared.table_of(source) else { continue };
            let topic = if is_inbox { table.inbox() } else { table.topic() };
            if topic.is_some_and(|t| t.ends() != *ends) {
                return format!(
                    "pipeline {name} stands at {ends:?} of {source}, which ends at {:?}",
                    topic.map(|t| t.ends())
                );
            }
        }
        if shared.durable.borrow().cut.epoch + 1 < published.cut.epoch {
            return "a checkpoint is due".into();
        }
        if let Some(calc) = published.tables.get(&path("calc"))
            && calc.table.topic().is_some_and(|t| t.ends() != calc.ends)
        {
            let (seen, ends) = (&calc.ends, calc.table.topic().map(|t| t.ends()));
            return format!("readers see calc up to {seen:?}, it ends at {ends:?}");
        }
        let batch = self.covered(&published, "agg").unwrap_or_default();
        let files = self.history.statements.contains("into") && !self.shape.misdirected;
        if files && self.history.files != batch.files(&self.history) {
            return format!("files hold {:?} of {:?}", self.history.files, batch.files(&self.history));
        }
        String::new()
    }

    /// At rest: nothing acknowledged is lost, nothing was made up, every record counts once.
    pub(super) fn check_all(&mut self) -> Result<(), Wrong> {
        self.read_entries()?;
        let published = self.published().ok_or("no server")?;
        let found: Vec<usize> = self.entries.iter().flatten().flatten().copied().collect();
        let distinct: BTreeSet<usize> = found.iter().copied().collect();
        if let Some(unknown) = distinct.iter().find(|id| **id >= self.history.rows.len()) {
            return Err(format!("nobody has sent row {unknown}"));
        }
        if found.len() != distinct.len() {
            return Err(format!("the log holds a row twice: {found:?}"));
        }
        let good = |id: &&usize| !self.history.rows[**id].bad;
        let lost: Vec<_> = self.history.acknowledged.iter().filter(good).filter(|id| !distinct.contains(id)).collect();
        if !lost.is_empty() && !self.shape.misdirected {
            return Err(format!("acknowledged and lost: {lost:?}"));
        }
        let bad = self.entries.iter().flatten().filter(|e| e.is_none()).count();
        let readers = published.positions.keys().filter(|(_, source)| *source == path("t")).count();
        let all = Batch::of(&self.history, self.entries.iter().flatten());
        if let Some(t) = published.tables.get(&path("t")) {
            equal("the quarantine", &t.quarantine.len(), &((bad * readers) as u64))?;
            let windows = self.history.statements.contains("win");
            let late = if windows { all.late as u64 } else { 0 };
            equal("late rows", &t.late.len(), &late).map_err(|e| format!("{e}\n{:?}", side_ids(&t.late)))?;
        }
        if self.history.statements.contains("calc") {
            let mut calc = self.history.calc.clone();
            calc.sort_unstable();
            let mut expected = all.calc(&self.history);
            expected.sort_unstable();
            equal("calc", &calc, &expected)?;
        }
        if let Some(rows) = published.tables.get(&path("kt")).and_then(|t| t.rows.as_ref()) {
            for row in rows_of(rows)? {
                let (acknowledged, sent) = self.history.keyed.get(&row[0]).copied().unwrap_or_default();
                let fits = (acknowledged..=sent).contains(&row[1]) || self.shape.misdirected && row[1] <= sent;
                if !fits {
                    return Err(format!("kt has {row:?}; {acknowledged} was acknowledged, {sent} was sent last"));
                }
            }
        }
        Ok(())
    }
}
