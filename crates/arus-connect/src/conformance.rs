//! What every connector must do, run over the registry: refuse a bad option, open, go on from a position with exactly
//! the remaining rows, end where it is bounded.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use arus_core::catalog::{ColumnKind, ObjectPath, TableColumn, TableDef, TableKind};
use arus_core::clock::Clock;
use arus_core::connector::{ConnectContext, LineOutput, PathPolicy};
use arus_core::fs::{DirEntry, File, Fs};
use arus_core::{LogicalType, Result};

/// Keeps what was written.
#[derive(Default)]
pub(crate) struct Lines(pub(crate) Mutex<Vec<String>>);

impl LineOutput for Lines {
    fn write_lines(&self, lines: &str) -> Result<()> {
        self.0.lock().expect("lines").push(lines.to_string());
        Ok(())
    }
}

/// A clock that stands where it is put.
#[derive(Default)]
pub(crate) struct FixedClock(pub(crate) std::sync::atomic::AtomicI64);

impl Clock for FixedClock {
    fn now_ms(&self) -> i64 {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn monotonic_ns(&self) -> u64 {
        self.now_ms() as u64 * 1_000_000
    }
}

/// Reads of the machine's disk, enough for sources.
pub(crate) struct ReadFs;

struct ReadFile(std::fs::File);

impl File for ReadFile {
    fn len(&self) -> std::io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
    fn append(&self, _: &[u8]) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    fn write_at(&self, _: u64, _: &[u8]) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, buffer, offset)
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match std::os::unix::fs::FileExt::read_at(&self.0, &mut buffer[read..], offset + read as u64)? {
                0 => break,
                n => read += n,
            }
        }
        Ok(read)
    }
    fn truncate(&self, _: u64) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    fn sync(&self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Fs for ReadFs {
    fn open(&self, path: &Path) -> std::io::Result<Arc<dyn File>> {
        Ok(Arc::new(ReadFile(std::fs::File::open(path)?)))
    }
    fn open_append(&self, _: &Path) -> std::io::Result<Arc<dyn File>> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        std::fs::read(path)
    }
    fn exists(&self, path: &Path) -> std::io::Result<bool> {
        std::fs::exists(path)
    }
    fn canonicalize(&self, path: &Path) -> std::io::Result<std::path::PathBuf> {
        std::fs::canonicalize(path)
    }
    fn list(&self, dir: &Path) -> std::io::Result<Vec<DirEntry>> {
        std::fs::read_dir(dir)?
            .map(|entry| {
                let path = entry?.path();
                let metadata = std::fs::metadata(&path)?;
                Ok(DirEntry { path, is_dir: metadata.is_dir(), len: metadata.len(), modified_ms: 0 })
            })
            .collect()
    }
    fn create_dir_all(&self, _: &Path) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    fn rename(&self, _: &Path, _: &Path) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    fn remove_file(&self, _: &Path) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    fn remove_dir_all(&self, _: &Path) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    fn sync_dir(&self, _: &Path) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    fn free_bytes(&self, _: &Path) -> std::io::Result<u64> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    fn lock(&self, _: &Path) -> std::io::Result<Box<dyn Send + Sync>> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

pub(crate) fn context(lines: &Arc<Lines>) -> ConnectContext {
    ConnectContext {
        fs: Arc::new(ReadFs),
        clock: Arc::new(FixedClock::default()),
        seed: 7,
        paths: Arc::new(PathPolicy::Unrestricted),
        working_dir: std::env::temp_dir(),
        stdout: lines.clone(),
        stderr: lines.clone(),
        time_zone: "UTC".into(),
        mark_watermarks: false,
    }
}

pub(crate) fn table(columns: &[(&str, LogicalType)], options: &[(&str, &str)]) -> TableDef {
    TableDef {
        path: ObjectPath::in_default("t"),
        kind: TableKind::Connector,
        columns: columns
            .iter()
            .map(|(name, ty)| TableColumn {
                name: name.to_string(),
                ty: ty.clone(),
                kind: ColumnKind::Physical,
                comment: None,
            })
            .collect(),
        watermark: None,
        primary_key: vec![],
        primary_key_name: None,
        partition_keys: vec![],
        distribution: None,
        options: options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect::<BTreeMap<_, _>>(),
        comment: None,
        temporary: false,
        query: None,
        hidden_count: false,
    }
}
