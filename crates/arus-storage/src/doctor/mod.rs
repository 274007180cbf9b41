//! The examination of a data folder: every format is read and every checksum compared; nothing is locked or changed.
//!
//! It may be done while a server writes the folder: what is in flight then is no damage, and a file that a newer record no
//! longer names may go at any time.

mod report;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arus_core::fs::SharedFs;
use arus_core::{Error, Result};

use crate::log::KnownEnd;
use crate::log::inspect::{Found, FoundKind, Inspect};
use crate::manifest::{CatalogItem, Checkpoint, ManifestState, Severity, replay};
use crate::outbox::OutboxStore;
use crate::state::{StateFileRef, StateStore};
use crate::table::state_uid;

pub use report::{Finding, FindingKind, Report};

const FROM_A_COPY: &str =
    "restore the folder from a backup (arus restore), or this file from a copy of the same moment";
const LEFT_OVER: &str = "nothing: the next start or checkpoint removes it";

/// How often a folder that is being written is read again when a file has gone meanwhile.
const ATTEMPTS: usize = 3;

/// Reads a data folder, or a backup, and says what is wrong with it. An error: it is neither.
pub fn examine(fs: &SharedFs, root: &Path) -> Result<Report> {
    let manifest = root.join("manifest");
    let there = |path: &Path| fs.exists(path).map_err(|e| Error::io("look for", path.display(), e));
    if !there(&manifest)? && !there(&root.join("topics"))? && !there(&root.join("state"))? {
        return Err(Error::user(format!("{} is no data folder: it has neither a manifest nor topics", root.display()))
            .with_hint("name the folder that the server was started with (--data DIR)"));
    }
    let mut attempt = 1;
    loop {
        let mut doctor = Doctor { fs, root, report: Report::new(root, holder(fs, root)) };
        let gone = doctor.examine()?;
        // A merge has replaced files since the manifest was read.
        if !gone || doctor.report.process.is_none() || attempt == ATTEMPTS {
            return Ok(doctor.report);
        }
        attempt += 1;
    }
}

/// The process that has the folder, when it is alive.
fn holder(fs: &SharedFs, root: &Path) -> Option<u32> {
    let text = fs.read(&root.join("LOCK")).ok()?;
    let process: u32 = String::from_utf8(text).ok()?.trim().parse().ok()?;
    let alive = fs.exists(&PathBuf::from(format!("/proc/{process}"))).unwrap_or(false);
    alive.then_some(process)
}

struct Doctor<'a> {
    fs: &'a SharedFs,
    root: &'a Path,
    report: Report,
}

impl Doctor<'_> {
    /// True: a file that the manifest names was not there.
    fn examine(&mut self) -> Result<bool> {
        if crate::backup::is_backup(self.fs, self.root)? {
            self.report.is_backup = true;
            if let Err(error) = crate::backup::verify(self.fs, self.root) {
                let finding = Finding::damage("BACKUP", 0, error.message(), "use another backup");
                self.report.findings.push(finding);
            }
        }
        let state = self.manifest()?;
        let mut gone = false;
        if let Some(checkpoint) = state.as_ref().and_then(|s| s.checkpoint.as_ref()) {
            gone = self.state_files(&state, checkpoint)?;
            let catalog = state.as_ref().map(|s| &s.catalog);
            gone |= self.outboxes(catalog.unwrap_or(&BTreeMap::new()), checkpoint)?;
        }
        self.left_over(state.as_ref())?;
        self.topics(state.as_ref())?;
        self.report.findings.sort_by(|a, b| (a.kind, &a.file, a.position).cmp(&(b.kind, &b.file, b.position)));
        Ok(gone)
    }

    fn manifest(&mut self) -> Result<Option<ManifestState>> {
        let path = self.root.join("manifest");
        if !self.fs.exists(&path).map_err(|e| Error::io("look for", path.display(), e))? {
            let finding = Finding::damage("manifest", 0, "it is missing", FROM_A_COPY)
                .hitting("everything: it names the tables, the checkpoint and where each log ends");
            self.report.findings.push(finding);
            return Ok(None);
        }
        let mut bytes = self.read(&path)?;
        let mut found = replay(&bytes);
        if self.report.process.is_some() && found.fault.is_some() {
            // It was being written.
            bytes = self.read(&path)?;
            found = replay(&bytes);
        }
        self.report.files += 1;
        self.report.bytes += bytes.len() as u64;
        self.report.manifest_records = found.records;
        if let Some(fault) = found.fault {
            let at = fault.position as u64;
            let finding = match fault.severity {
                Severity::Torn if self.report.process.is_some() => None,
                Severity::Torn => Some(Finding::note(
                    "manifest",
                    at,
                    &fault.reason,
                    "nothing, after a crash: the next start cuts them. After a clean stop the last record may be lost",
                )),
                Severity::Mended => Some(Finding::damage(
                    "manifest",
                    at,
                    &fault.reason,
                    "nothing: the next start writes it again; but look at the disk",
                )),
                Severity::Fatal => Some(
                    Finding::damage("manifest", at, &fault.reason, FROM_A_COPY)
                        .hitting("everything: no server starts on it"),
                ),
                Severity::Unknown => {
                    Some(Finding::damage("manifest", at, &fault.reason, "ask the version of Arus that wrote it"))
                }
            };
            self.report.findings.extend(finding);
        }
        if let Some(state) = &found.state {
            self.report.incarnation = state.incarnation;
            self.report.checkpoint = state.checkpoint.as_ref().map(|c| c.cut);
            self.report.as_of_ms = state.checkpoint.as_ref().map(|c| c.as_of_ms);
        }
        Ok(found.state)
    }

    fn state_files(&mut self, state: &Option<ManifestState>, checkpoint: &Checkpoint) -> Result<bool> {
        let catalog: BTreeMap<u64, CatalogItem> = state.as_ref().map(|s| s.catalog.clone()).unwrap_or_default();
        let dir = self.root.join("state");
        let mut gone = false;
        for file in &checkpoint.files {
            let store = StateStore::at(self.fs.clone(), &dir);
            let (entries, damages) = store.read_file(file)?;
            self.report.files += 1;
            self.report.bytes += file.bytes;
            self.report.state_entries += entries;
            let name = format!("state/{}", file.name);
            let advice =
                "restore the folder from a backup, or drop what is hit and create it again; all else is served";
            for damage in &damages {
                gone |= damage.reason == MISSING;
                let advice =
                    if damage.operators.is_some() { advice } else { "nothing is lost: the next merge mends it" };
                let finding = Finding::damage(&name, damage.position, &damage.reason, advice);
                self.report.findings.push(match damage.operators {
                    Some((first, last)) => finding.hitting(&owners(&catalog, first.0, last.0)),
                    None => finding,
                });
            }
            if damages.is_empty() && entries != file.entries {
                let reason = format!("it has {entries} entries instead of {}", file.entries);
                let finding = Finding::damage(&name, 0, &reason, advice).hitting(&owners(&catalog, 0, u64::MAX));
                self.report.findings.push(finding);
            }
        }
        Ok(gone)
    }

    /// True: one was not there.
    fn outboxes(&mut self, catalog: &BTreeMap<u64, CatalogItem>, checkpoint: &Checkpoint) -> Result<bool> {
        let store = OutboxStore::at(self.fs.clone(), &self.root.join("outbox"));
        let mut gone = false;
        for outbox in &checkpoint.outboxes {
            let name = format!("outbox/{}", outbox.name);
            let path = self.root.join(&name);
            self.report.files += 1;
            self.report.bytes += outbox.bytes;
            let there = || self.fs.exists(&path).map_err(|e| Error::io("look for", path.display(), e));
            let damages = match there()?.then(|| store.examine(outbox)).transpose() {
                Ok(Some(damages)) => damages,
                Err(error) if there()? => return Err(error),
                Ok(None) | Err(_) => {
                    gone = true;
                    vec![(0, MISSING.to_string())]
                }
            };
            let of = catalog
                .get(&outbox.pipeline)
                .map_or_else(|| outbox.pipeline.to_string(), |item| format!("'{}'", item.path));
            let rows = format!("{} rows of pipeline {of} that its sink has not got yet: it stands still", outbox.rows);
            for (position, reason) in &damages {
                let finding = Finding::damage(&name, *position, reason, FROM_A_COPY).hitting(&rows);
                self.report.findings.push(finding);
            }
        }
        Ok(gone)
    }

    /// Files that nobody names.
    fn left_over(&mut self, state: Option<&ManifestState>) -> Result<()> {
        let (Some(state), None) = (state, self.report.process) else { return Ok(()) };
        let checkpoint = state.checkpoint.as_ref();
        let files: Vec<String> =
            checkpoint.iter().flat_map(|c| &c.files).map(|f: &StateFileRef| format!("state/{}", f.name)).collect();
        let outboxes = checkpoint.iter().flat_map(|c| &c.outboxes).map(|o| format!("outbox/{}", o.name));
        let files: Vec<String> = files.into_iter().chain(outboxes).collect();
        for entry in self.list(&self.root.join("state"))?.into_iter().chain(self.list(&self.root.join("outbox"))?) {
            let name = self.name(&entry);
            if !files.contains(&name) {
                self.report.findings.push(Finding::note(&name, 0, "no record names it", LEFT_OVER));
            }
        }
        for name in ["manifest.new", "backup"] {
            let path = self.root.join(name);
            if self.fs.exists(&path).map_err(|e| Error::io("look for", path.display(), e))? {
                self.report.findings.push(Finding::note(name, 0, "it was not finished", LEFT_OVER));
            }
        }
        Ok(())
    }

    fn topics(&mut self, state: Option<&ManifestState>) -> Result<()> {
        let dir = self.root.join("topics");
        let mut known: BTreeMap<u64, &CatalogItem> = BTreeMap::new();
        for item in state.iter().flat_map(|s| s.catalog.values()) {
            known.extend(item.topic.map(|id| (id, item)));
        }
        for (id, item) in &known {
            let checkpoint = state.and_then(|s| s.checkpoint.as_ref());
            for number in 0..item.partitions.unwrap_or(1) {
                let end = |ends: Option<&Vec<i64>>| ends.and_then(|e| e.get(number as usize)).copied();
                let known = match checkpoint.and_then(|c| end(c.markers.get(id))) {
                    Some(marker) => KnownEnd::Pipeline(marker),
                    None => KnownEnd::Client(checkpoint.and_then(|c| end(c.synced.get(id))).unwrap_or(0)),
                };
                self.partition(*id, number, Some(known), Some(&item.path.to_string()))?;
            }
        }
        for entry in self.list(&dir)? {
            let id = entry.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse::<u64>().ok());
            let Some(id) = id.filter(|id| !known.contains_key(id)) else { continue };
            if state.is_some() {
                if self.report.process.is_none() {
                    let finding = Finding::note(&self.name(&entry), 0, "it is no topic of the catalog", LEFT_OVER);
                    self.report.findings.push(finding);
                }
                continue;
            }
            // Without a manifest: what there is.
            for partition in self.list(&entry)? {
                let number = partition.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse::<u32>().ok());
                if let Some(number) = number {
                    self.partition(id, number, None, None)?;
                }
            }
        }
        Ok(())
    }

    fn partition(&mut self, topic: u64, number: u32, known: Option<KnownEnd>, table: Option<&str>) -> Result<()> {
        let dir = self.root.join("topics").join(topic.to_string()).join(number.to_string());
        let inspect = Inspect { fs: self.fs.as_ref(), topic, partition: number, dir: &dir, known };
        let found = inspect.run().map_err(|e| Error::io("read", dir.display(), e))?;
        self.report.files += found.segments;
        self.report.bytes += found.bytes;
        self.report.partitions += 1;
        self.report.records += found.records;
        for found in found.found {
            let finding = self.of_log(&found);
            let finding = finding.map(|f| f.of_partition(table.unwrap_or(&format!("topic {topic}")), number));
            self.report.findings.extend(finding);
        }
        Ok(())
    }

    fn of_log(&self, found: &Found) -> Option<Finding> {
        let name = self.name(&found.path);
        let running = self.report.process.is_some();
        match found.kind {
            FoundKind::Lost(from, to) if from < to => Some(
                Finding::damage(
                    &name,
                    found.position,
                    &found.reason,
                    "records before and after are served; to read past it: ALTER TABLE .. SET ('scan.damage' = 'skip'), or \
                     SET 'arus.read.damage' = 'skip' for a SELECT. To have them back: restore from a backup",
                )
                .with_offsets(from, to - 1),
            ),
            FoundKind::Lost(..) => Some(Finding::damage(
                &name,
                found.position,
                &found.reason,
                "no record is lost; but look at the disk",
            )),
            FoundKind::Tail(_) | FoundKind::Stranger if running => None,
            FoundKind::Tail(from) => Some(
                Finding::note(
                    &name,
                    found.position,
                    &found.reason,
                    "nothing, after a crash: the next start cuts it. Nobody was told that these records are there, unless the \
                     disk has damaged them since",
                )
                .with_offsets(from, from),
            ),
            FoundKind::Stranger => Some(Finding::note(&name, 0, &found.reason, LEFT_OVER)),
            FoundKind::Carried => Some(Finding::damage(
                &name,
                found.position,
                &found.reason,
                "no record is lost; but a request that is sent again within its day may count twice",
            )),
            FoundKind::Footer => Some(Finding::damage(
                &name,
                found.position,
                &found.reason,
                "nothing is lost: the next start reads the segment instead; but look at the disk",
            )),
        }
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        self.fs.read(path).map_err(|e| Error::io("read", path.display(), e))
    }

    fn list(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        let io = |e| Error::io("list", dir.display(), e);
        if !self.fs.exists(dir).map_err(io)? {
            return Ok(vec![]);
        }
        Ok(self.fs.list(dir).map_err(io)?.into_iter().map(|e| e.path).collect())
    }

    fn name(&self, path: &Path) -> String {
        path.strip_prefix(self.root).unwrap_or(path).to_string_lossy().into_owned()
    }
}

const MISSING: &str = "it is missing";

/// Whose state may be in a range of uids.
fn owners(catalog: &BTreeMap<u64, CatalogItem>, first: u64, last: u64) -> String {
    let mut found = vec![];
    for item in catalog.values() {
        for part in ["rows", "late", "quarantine"] {
            let uid = state_uid(item.id, part);
            if (first..=last).contains(&uid.0) {
                found.push(match part {
                    "rows" => format!("table {}", item.path),
                    side => format!("table {}${side}", item.path),
                });
            }
        }
    }
    found.push("operators of pipelines".into());
    found.join(", ")
}
