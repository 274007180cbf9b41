//! What the doctor says.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use arus_core::read::Cut;
use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub folder: PathBuf,
    pub is_backup: bool,
    /// The server that has the folder.
    pub process: Option<u32>,
    pub incarnation: u64,
    pub checkpoint: Option<Cut>,
    pub as_of_ms: Option<i64>,
    pub manifest_records: u64,
    pub files: u64,
    pub bytes: u64,
    pub state_entries: u64,
    pub partitions: u64,
    pub records: u64,
    pub findings: Vec<Finding>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Bytes are not as they were written.
    Damage,
    /// What a crash leaves behind; nothing has to be done.
    Note,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub kind: FindingKind,
    /// In the folder.
    pub file: String,
    /// Of the first bad byte, or of the block or batch in which it is.
    pub position: u64,
    pub table: Option<String>,
    pub partition: Option<u32>,
    /// The first and the last offset that cannot be read.
    pub offsets: Option<(i64, i64)>,
    /// What cannot be used.
    pub hits: Option<String>,
    pub reason: String,
    pub advice: String,
}

impl Finding {
    fn new(kind: FindingKind, file: &str, position: u64, reason: &str, advice: &str) -> Self {
        Finding {
            kind,
            file: file.into(),
            position,
            table: None,
            partition: None,
            offsets: None,
            hits: None,
            reason: reason.into(),
            advice: advice.into(),
        }
    }

    pub(super) fn damage(file: &str, position: u64, reason: &str, advice: &str) -> Self {
        Self::new(FindingKind::Damage, file, position, reason, advice)
    }

    pub(super) fn note(file: &str, position: u64, reason: &str, advice: &str) -> Self {
        Self::new(FindingKind::Note, file, position, reason, advice)
    }

    pub(super) fn hitting(mut self, what: &str) -> Self {
        self.hits = Some(what.into());
        self
    }

    pub(super) fn with_offsets(mut self, first: i64, last: i64) -> Self {
        self.offsets = Some((first, last));
        self
    }

    pub(super) fn of_partition(mut self, table: &str, partition: u32) -> Self {
        self.table = Some(table.into());
        self.partition = Some(partition);
        self
    }

    fn text(&self) -> String {
        let kind = match self.kind {
            FindingKind::Damage => "damage",
            FindingKind::Note => "note",
        };
        let mut out = format!("{kind}: {}, byte {}: {}", self.file, self.position, self.reason);
        if let (Some(table), Some(partition)) = (&self.table, self.partition) {
            write!(out, "\n  table {table}, partition {partition}").expect("a String takes all");
            match (self.offsets, self.kind) {
                (Some((first, last)), FindingKind::Damage) => {
                    write!(out, ", offsets {first} to {last} cannot be read").expect("a String takes all");
                }
                (Some((first, _)), FindingKind::Note) => {
                    write!(out, ", from offset {first} on").expect("a String takes all");
                }
                (None, _) => {}
            }
        }
        if let Some(hits) = &self.hits {
            write!(out, "\n  hits: {hits}").expect("a String takes all");
        }
        write!(out, "\n  to do: {}\n", self.advice).expect("a String takes all");
        out
    }
}

impl Report {
    pub(super) fn new(folder: &Path, process: Option<u32>) -> Self {
        Report {
            folder: folder.to_path_buf(),
            is_backup: false,
            process,
            incarnation: 0,
            checkpoint: None,
            as_of_ms: None,
            manifest_records: 0,
            files: 0,
            bytes: 0,
            state_entries: 0,
            partitions: 0,
            records: 0,
            findings: vec![],
        }
    }

    pub fn damages(&self) -> usize {
        self.findings.iter().filter(|f| f.kind == FindingKind::Damage).count()
    }

    /// For people.
    pub fn text(&self) -> String {
        let what = if self.is_backup { "backup" } else { "data folder" };
        let mut out = format!("{what} {}\n", self.folder.display());
        let mut line = |text: String| {
            out.push_str("  ");
            out.push_str(&text);
            out.push('\n');
        };
        if let Some(process) = self.process {
            line(format!("in use by process {process}: what is being written is left out"));
        }
        match self.checkpoint {
            Some(cut) => line(format!("checkpoint {}.{}", cut.incarnation, cut.epoch)),
            None => line("no checkpoint".into()),
        }
        line(format!(
            "{} files, {} bytes; manifest: {} records; state: {} entries; log: {} partitions, {} records",
            self.files, self.bytes, self.manifest_records, self.state_entries, self.partitions, self.records
        ));
        self.findings.iter().for_each(|finding| out.push_str(&finding.text()));
        match self.damages() {
            0 => out.push_str("no damage\n"),
            1 => out.push_str("1 place is damaged\n"),
            n => writeln!(out, "{n} places are damaged").expect("a String takes all"),
        }
        out
    }
}
