//! `'connector' = 'filesystem'`, its writing side: files that roll by size and age, each row in exactly one of them.
//!
//! A file is hidden (`.part-..inprogress`) while it grows. It is closed at a checkpoint or between two, and gets its name
//! once that checkpoint's record is in the manifest: readers see whole files of durable rows alone. The checkpoint's token
//! names the files to be shown and those that go on growing with their length, so that a restore cuts what came after.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, UInt32Array};
use arus_core::catalog::TableDef;
use arus_core::change::arrow_bug;
use arus_core::clock::SharedClock;
use arus_core::connector::{
    CommitToken, ConnectContext, EncodedRecords, Encoder, Framing, PathPolicy, SinkWriter, SyncTask,
};
use arus_core::error::Code;
use arus_core::fs::{File, SharedFs};
use arus_core::{ChangeBatch, Error, LogicalType, Result, RowSchema, planted};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::format::csv::stored_columns;
use crate::format::parquet::write::{ParquetFile, ParquetStyle};
use crate::options::Options;
use crate::registry::format_of;
use crate::sink::print::value_text;
use crate::source::filesystem::{AUTO_COMPACTION, CHECK_INTERVAL, DEFAULT_PARTITION, ROLLING_SIZE, ROLLOVER_INTERVAL};

pub(crate) struct FileSink {
    table: String,
    fs: SharedFs,
    clock: SharedClock,
    folder: PathBuf,
    body: Body,
    /// Of the rows that come: what lies in the files.
    stored: Vec<usize>,
    /// Of the rows that come: the partition keys.
    keys: Vec<(usize, String, LogicalType)>,
    default_partition: String,
    size_limit: u64,
    age_limit_ms: i64,
    /// Stands in the names of this writer's files.
    id: String,
    next: u64,
    /// By the folder of their partition, below the table's.
    growing: BTreeMap<String, Growing>,
    /// Closed, and not yet shown.
    closed: Vec<Named>,
    unsynced: BTreeMap<PathBuf, Arc<dyn File>>,
    unsynced_folders: BTreeSet<PathBuf>,
    ended: bool,
    encoded: EncodedRecords,
}

/// A file under its hidden and its final name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Named {
    hidden: PathBuf,
    shown: PathBuf,
}

/// How rows become bytes.
enum Body {
    /// Records, each with a line feed behind it.
    Records(Box<dyn Encoder>),
    Parquet(Box<ParquetStyle>),
}

struct Growing {
    name: Named,
    file: Arc<dyn File>,
    /// A file that cannot go on after a checkpoint.
    parquet: Option<ParquetFile>,
    len: u64,
    opened_ms: i64,
}

/// What stands in the manifest.
#[derive(Debug, Serialize, Deserialize)]
struct Token {
    id: String,
    next: u64,
    show: Vec<Named>,
    growing: Vec<GrowingToken>,
}

#[derive(Debug, Serialize, Deserialize)]
struct GrowingToken {
    partition: String,
    name: Named,
    len: u64,
    opened_ms: i64,
}

impl FileSink {
    pub(crate) fn new(table: &TableDef, options: &Options<'_>, folder: PathBuf, cx: &ConnectContext) -> Result<Self> {
        let refused = |what: &str| Error::not_supported(format!("table '{}': {what}", table.path));
        if options.flag(AUTO_COMPACTION)? {
            return Err(refused("'auto-compaction' of connector 'filesystem'"));
        }
        if let Some(key) = table.options.keys().find(|k| k.starts_with("sink.partition-commit.")) {
            return Err(refused(&format!("'{key}' of connector 'filesystem'")));
        }
        let format = format_of(table)?;
        check_allowed(table, &folder, cx)?;
        let stored_columns = stored_columns(table);
        let columns: RowSchema = table
            .sink_columns()
            .into_iter()
            .map(|i| arus_core::Column { name: table.columns[i].name.clone(), ty: table.columns[i].ty.clone() })
            .collect();
        let index = |name: &str| {
            columns.index_of(name).ok_or_else(|| Error::bug(format!("column '{name}' does not reach its sink")))
        };
        let stored: Result<Vec<usize>> = stored_columns.columns().iter().map(|c| index(&c.name)).collect();
        let keys: Result<Vec<_>> = table
            .partition_keys
            .iter()
            .map(|i| &table.columns[*i])
            .map(|c| Ok((index(&c.name)?, c.name.clone(), c.ty.clone())))
            .collect();
        let interval = |name: &str| -> Result<i64> {
            let ms = options.duration_ms(name)?.unwrap_or_default();
            if ms > 0 { Ok(ms) } else { Err(options.wrong(name, "more than 0", options.required(name)?)) }
        };
        interval(CHECK_INTERVAL)?;
        Ok(FileSink {
            table: table.path.to_string(),
            fs: cx.fs.clone(),
            clock: cx.clock.clone(),
            folder,
            body: if format.framing(table)? == Framing::Columns {
                Body::Parquet(Box::new(ParquetStyle::of(table, &stored_columns)?))
            } else {
                Body::Records(format.encoder(table, &stored_columns, cx)?)
            },
            stored: stored?,
            keys: keys?,
            default_partition: options.required(DEFAULT_PARTITION)?.to_string(),
            size_limit: options.size_bytes(ROLLING_SIZE)?.unwrap_or(u64::MAX),
            age_limit_ms: interval(ROLLOVER_INTERVAL)?,
            id: format!("{:x}-{:x}", cx.clock.now_ms(), std::process::id()),
            next: 0,
            growing: BTreeMap::new(),
            closed: vec![],
            unsynced: BTreeMap::new(),
            unsynced_folders: BTreeSet::new(),
            ended: false,
            encoded: EncodedRecords::default(),
        })
    }

    fn failed(&self, action: &str, path: &Path, error: std::io::Error) -> Error {
        Error::io(action, path.display(), error).in_context(format!("table '{}'", self.table))
    }

    /// The rows of each partition, by its folder.
    fn partitions(&self, batch: &ChangeBatch) -> Result<Vec<(String, ChangeBatch)>> {
        if self.keys.is_empty() {
            return Ok(vec![(String::new(), batch.clone())]);
        }
        let mut rows: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for row in 0..batch.num_rows() {
            let mut folder = String::new();
            for (column, name, ty) in &self.keys {
                if !folder.is_empty() {
                    folder.push('/');
                }
                let array = batch.rows().column(*column);
                let text = if array.is_null(row) { String::new() } else { value_text(ty, array, row) };
                let text = if text.is_empty() { &self.default_partition } else { &text };
                escape(name, &mut folder);
                folder.push('=');
                escape(text, &mut folder);
            }
            rows.entry(folder).or_default().push(row as u32);
        }
        rows.into_iter().map(|(folder, rows)| Ok((folder, batch.take(&UInt32Array::from(rows))?))).collect()
    }

    fn open(&mut self, partition: &str) -> Result<Growing> {
        let folder = if partition.is_empty() { self.folder.clone() } else { self.folder.join(partition) };
        // A folder is durable once the one that it lies in is synced. One that is there may be of a process that was killed
        // before it did that.
        let ours = |path: &Path| path.starts_with(&self.folder);
        let new = folder.ancestors().take_while(|path| ours(path) || !self.fs.exists(path).unwrap_or(true));
        let around: Vec<PathBuf> = new.filter_map(|path| path.parent().map(Path::to_path_buf)).collect();
        self.fs.create_dir_all(&folder).map_err(|e| self.failed("create", &folder, e))?;
        self.unsynced_folders.extend(around);
        // A writer that started in the same millisecond has the same id.
        let name = loop {
            let shown = folder.join(format!("part-{}-{}", self.id, self.next));
            let hidden = folder.join(format!(".part-{}-{}.inprogress", self.id, self.next));
            self.next += 1;
            let taken = |path: &PathBuf| self.fs.exists(path).map_err(|e| self.failed("read", path, e));
            if !taken(&shown)? && !taken(&hidden)? {
                break Named { hidden, shown };
            }
        };
        let file = self.fs.open_append(&name.hidden).map_err(|e| self.failed("create", &name.hidden, e))?;
        self.unsynced_folders.insert(folder);
        let parquet = match &self.body {
            Body::Parquet(style) => Some(style.open(file.clone())?),
            Body::Records(_) => None,
        };
        Ok(Growing { name, file, parquet, len: 0, opened_ms: self.clock.now_ms() })
    }

    fn append(&mut self, partition: String, rows: &ChangeBatch) -> Result<()> {
        let stored: RecordBatch = rows.rows().project(&self.stored).map_err(arrow_bug)?;
        let mut growing = match self.growing.remove(&partition) {
            Some(growing) => growing,
            None => self.open(&partition)?,
        };
        match (&mut self.body, &mut growing.parquet) {
            (Body::Records(encoder), _) => {
                self.encoded.data.clear();
                self.encoded.ends.clear();
                encoder.encode(&rows.with_rows(stored), &mut self.encoded)?;
                let bytes = with_line_feeds(&self.encoded);
                growing.file.append(&bytes).map_err(|e| self.failed("write", &growing.name.hidden, e))?;
                growing.len += bytes.len() as u64;
            }
            (Body::Parquet(_), Some(parquet)) => {
                parquet.write(&stored)?;
                growing.len = parquet.len();
            }
            (Body::Parquet(_), None) => return Err(Error::bug("a parquet file that goes on after a checkpoint")),
        }
        self.unsynced.insert(growing.name.hidden.clone(), growing.file.clone());
        if growing.len >= self.size_limit {
            self.close(growing)?;
        } else {
            self.growing.insert(partition, growing);
        }
        Ok(())
    }

    fn close(&mut self, growing: Growing) -> Result<()> {
        if let Some(parquet) = growing.parquet {
            parquet.close()?;
            self.unsynced.insert(growing.name.hidden.clone(), growing.file);
        }
        self.closed.push(growing.name);
        Ok(())
    }

    /// Gives files their names. A file that has its name already was shown before a restart; whether that is on the disk
    /// nobody knows, and no later token names it: the next checkpoint syncs its folder too.
    fn show(&mut self, files: &[Named]) -> Result<()> {
        for Named { hidden, shown } in files {
            let is_hidden = self.fs.exists(hidden).map_err(|e| self.failed("read", hidden, e))?;
            if is_hidden {
                self.fs.rename(hidden, shown).map_err(|e| self.failed("rename", hidden, e))?;
            }
            if is_hidden || !planted("shown-not-synced") {
                self.unsynced_folders.extend(shown.parent().map(Path::to_path_buf));
            }
        }
        Ok(())
    }

    /// Removes the hidden files of this writer that no checkpoint knows.
    fn drop_unknown(&self, known: &BTreeSet<PathBuf>) -> Result<()> {
        let prefix = format!(".part-{}-", self.id);
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = self.fs.list(&folder) else { continue };
            for entry in entries {
                let name = entry.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if entry.is_dir && !self.keys.is_empty() && name.contains('=') {
                    folders.push(entry.path);
                } else if name.starts_with(&prefix) && !known.contains(&entry.path) {
                    self.fs.remove_file(&entry.path).map_err(|e| self.failed("remove", &entry.path, e))?;
                }
            }
        }
        Ok(())
    }
}

fn with_line_feeds(records: &EncodedRecords) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(records.data.len() + records.ends.len());
    let mut start = 0;
    for end in &records.ends {
        bytes.extend_from_slice(&records.data[start..*end]);
        bytes.push(b'\n');
        start = *end;
    }
    bytes
}

/// Statements that come by a door write below the allowed folders alone; the real place counts.
pub(crate) fn check_allowed(table: &TableDef, folder: &Path, cx: &ConnectContext) -> Result<()> {
    let PathPolicy::Only(allowed) = &*cx.paths else { return Ok(()) };
    let there = folder.ancestors().find(|path| cx.fs.exists(path).unwrap_or(false));
    let real = there.and_then(|path| cx.fs.canonicalize(path).ok());
    let inside = real.is_some_and(|real| {
        allowed.iter().any(|a| real.starts_with(a) || cx.fs.canonicalize(a).is_ok_and(|a| real.starts_with(a)))
    });
    if inside {
        return Ok(());
    }
    let names: Vec<_> = allowed.iter().map(|f| f.display().to_string()).collect();
    Err(Error::user(format!(
        "table '{}': path {} is outside of the allowed folders ({})",
        table.path,
        folder.display(),
        names.join(", ")
    ))
    .with_code(Code::PermissionDenied)
    .with_hint("start the server with --allow-path DIR"))
}

/// The characters that Hive and Flink write as `%XX` in the names of partitions.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        if c.is_control() || "\"#%'*/:=?\\{}[]^".contains(c) {
            out.push_str(&format!("%{:02X}", c as u32));
        } else {
            out.push(c);
        }
    }
}

#[async_trait]
impl SinkWriter for FileSink {
    fn write(&mut self, batch: &ChangeBatch) -> Result<()> {
        for (partition, rows) in self.partitions(batch)? {
            self.append(partition, &rows)?;
        }
        Ok(())
    }

    fn on_watermark(&mut self, watermark: i64) -> Result<()> {
        self.ended |= watermark == i64::MAX;
        Ok(())
    }

    fn wants_checkpoint(&self) -> bool {
        let oldest_ms = self.clock.now_ms().saturating_sub(self.age_limit_ms);
        self.growing.values().any(|growing| growing.opened_ms <= oldest_ms)
    }

    async fn prepare(&mut self, _epoch: u64) -> Result<Option<CommitToken>> {
        let oldest_ms = self.clock.now_ms().saturating_sub(self.age_limit_ms);
        let done: Vec<String> = self
            .growing
            .iter()
            .filter(|(_, growing)| self.ended || growing.parquet.is_some() || growing.opened_ms <= oldest_ms)
            .map(|(partition, _)| partition.clone())
            .collect();
        for partition in done {
            if let Some(growing) = self.growing.remove(&partition) {
                self.close(growing)?;
            }
        }
        if self.next == 0 {
            return Ok(None);
        }
        let growing = self.growing.iter().map(|(partition, growing)| GrowingToken {
            partition: partition.clone(),
            name: growing.name.clone(),
            len: growing.len,
            opened_ms: growing.opened_ms,
        });
        let token =
            Token { id: self.id.clone(), next: self.next, show: self.closed.clone(), growing: growing.collect() };
        let text = serde_json::to_string(&token).map_err(|e| Error::bug(format!("a token of files: {e}")))?;
        Ok(Some(CommitToken(text)))
    }

    fn take_sync(&mut self) -> Option<SyncTask> {
        let files = std::mem::take(&mut self.unsynced);
        let folders = std::mem::take(&mut self.unsynced_folders);
        if files.is_empty() && folders.is_empty() {
            return None;
        }
        let fs = self.fs.clone();
        Some(Box::new(move || {
            for (path, file) in files {
                file.sync().map_err(|e| Error::io("sync", path.display(), e))?;
            }
            for folder in folders {
                fs.sync_dir(&folder).map_err(|e| Error::io("sync", folder.display(), e))?;
            }
            Ok(())
        }))
    }

    async fn commit(&mut self, token: &CommitToken) -> Result<()> {
        let token = parse(token)?;
        self.show(&token.show)?;
        self.closed.retain(|file| !token.show.contains(file));
        if self.ended {
            // No checkpoint of this pipeline follows that would sync them.
            for folder in std::mem::take(&mut self.unsynced_folders) {
                self.fs.sync_dir(&folder).map_err(|e| self.failed("sync", &folder, e))?;
            }
        }
        Ok(())
    }

    async fn recover(&mut self, committed: &[CommitToken]) -> Result<()> {
        let Some(token) = committed.last() else { return Ok(()) };
        let token = parse(token)?;
        self.id = token.id;
        self.next = token.next;
        self.show(&token.show)?;
        let mut known = BTreeSet::new();
        for GrowingToken { partition, name, len, opened_ms } in token.growing {
            let file = self.fs.open_append(&name.hidden).map_err(|e| self.failed("open", &name.hidden, e))?;
            let found = file.len().map_err(|e| self.failed("read", &name.hidden, e))?;
            if found < len {
                return Err(Error::external(format!(
                    "table '{}': file {} has {found} bytes, but {len} were written",
                    self.table,
                    name.hidden.display()
                ))
                .with_hint("hidden files in the folder of a table that is being written must be left alone"));
            }
            if !planted("sink-not-cut") {
                file.truncate(len).map_err(|e| self.failed("cut", &name.hidden, e))?;
            }
            known.insert(name.hidden.clone());
            self.growing.insert(partition, Growing { name, file, parquet: None, len, opened_ms });
        }
        self.drop_unknown(&known)
    }
}

fn parse(token: &CommitToken) -> Result<Token> {
    serde_json::from_str(&token.0).map_err(|e| Error::bug(format!("a token of files cannot be read: {e}")))
}

#[cfg(test)]
mod tests;
