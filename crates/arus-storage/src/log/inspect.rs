//! Looking at a partition's files without changing any: what a start would find, and where damage is.

use std::io;
use std::path::{Path, PathBuf};

use arus_core::fs::Fs;

use super::carried::{Carried, is_carried};
use super::record_batch::Home;
use super::recovery::KnownEnd;
use super::scan::{BatchScanner, Step};
use super::segment::{SEGMENT_HEADER_BYTES, base_of, decode_footer, footer_path, segment_header};

/// What a partition's folder holds.
#[derive(Debug, Default)]
pub(crate) struct Inspected {
    pub(crate) segments: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) found: Vec<Found>,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) position: u64,
    pub(crate) kind: FoundKind,
    pub(crate) reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FoundKind {
    /// Records from the first offset up to but not the second cannot be read; equal: none is lost.
    Lost(i64, i64),
    /// Beyond what is known to be synced, from this offset on: the next start cuts it.
    Tail(i64),
    /// It is made again.
    Footer,
    /// Idempotency keys and producers of segments that are gone.
    Carried,
    /// A file that is not the log's.
    Stranger,
}

pub(crate) struct Inspect<'a> {
    pub(crate) fs: &'a dyn Fs,
    pub(crate) topic: u64,
    pub(crate) partition: u32,
    pub(crate) dir: &'a Path,
    /// `None`: the manifest does not say.
    pub(crate) known: Option<KnownEnd>,
}

impl Inspect<'_> {
    pub(crate) fn run(&self) -> io::Result<Inspected> {
        let mut out = Inspected::default();
        let (mut bases, mut footers) = (vec![], vec![]);
        if self.fs.exists(self.dir)? {
            for entry in self.fs.list(self.dir)? {
                match base_of(&entry.path) {
                    Some(base) => bases.push((base, entry.path)),
                    None if is_carried(&entry.path) => self.check_carried(&mut out, entry.path)?,
                    None => footers.push(entry.path),
                }
            }
        }
        bases.sort();
        for path in footers {
            if !bases.iter().any(|(_, segment)| footer_path(segment) == path) {
                let kind = FoundKind::Stranger;
                out.found.push(Found { path, position: 0, kind, reason: "it belongs to no segment".into() });
            }
        }
        let first = bases.first().map_or(0, |b| b.0);
        let known = match self.known {
            Some(KnownEnd::Client(end) | KnownEnd::Pipeline(end)) => end.max(first),
            None => 0,
        };
        let home = Home { topic: self.topic, partition: self.partition };
        let mut expected = first;
        let mut last: Option<(PathBuf, u64)> = None;
        for (i, (base, path)) in bases.iter().enumerate() {
            let below = bases.get(i + 1).map_or(i64::MAX, |next| next.0);
            let file = match self.fs.open(path) {
                Ok(file) => file,
                // Retention has just removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    expected = below.min(known.max(*base));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let len = file.len()?;
            if *base < expected && len <= SEGMENT_HEADER_BYTES {
                continue;
            }
            if *base > expected {
                let (at, position) = last.clone().unwrap_or((path.clone(), 0));
                out.lost(at, position, (expected, *base), "its end is missing");
            } else if *base < expected {
                let reason = format!("it begins at offset {base}, but the segment before it ends at {expected}");
                out.lost(path.clone(), 0, (*base, expected), &reason);
            }
            out.segments += 1;
            out.bytes += len;
            let mut scanner = BatchScanner::new(file.as_ref(), home, SEGMENT_HEADER_BYTES.min(len), len, *base);
            let mut header = vec![0; SEGMENT_HEADER_BYTES.min(len) as usize];
            file.read_exact_at(0, &mut header)?;
            if header != segment_header(self.topic, self.partition, *base) {
                let reason = "its header is not the one of this segment";
                // The batches have their own sums and may all be good.
                match self.known.is_some() && *base >= known {
                    true => out.tail(path.clone(), 0, *base, reason),
                    false => out.lost(path.clone(), 0, (*base, *base), reason),
                }
            }
            self.scan(&mut out, &mut scanner, path, known, below)?;
            self.check_footer(&mut out, path, *base, &scanner)?;
            expected = scanner.expected;
            last = Some((path.clone(), len));
        }
        if expected < known {
            let (path, position) = last.unwrap_or((self.dir.to_path_buf(), 0));
            out.lost(path, position, (expected, known), "its end is missing");
        }
        Ok(out)
    }

    /// Goes through the batches; afterwards the scanner expects the offset at which the next segment begins.
    fn scan(
        &self,
        out: &mut Inspected,
        scanner: &mut BatchScanner<'_>,
        path: &Path,
        known: i64,
        below: i64,
    ) -> io::Result<()> {
        loop {
            let fault = match scanner.next_batch()? {
                Step::Batch(_, header, _) => {
                    out.records += u64::try_from(header.count).unwrap_or(0);
                    continue;
                }
                Step::End => return Ok(()),
                Step::Fault(fault) => fault.to_string(),
            };
            let (position, from) = (scanner.position, scanner.expected);
            if self.known.is_some() && from >= known {
                out.tail(path.to_path_buf(), position, from, &fault);
                // What follows goes with it.
                scanner.expected = if below == i64::MAX { from } else { below };
                return Ok(());
            }
            let limit = if self.known.is_some() { below.min(known + 1) } else { below };
            if scanner.resync(limit)? {
                out.lost(path.to_path_buf(), position, (from, scanner.expected), &fault);
                continue;
            }
            if self.known.is_none() && below == i64::MAX {
                out.tail(path.to_path_buf(), position, from, &fault);
                return Ok(());
            }
            let end = if self.known.is_some() { below.min(known) } else { below };
            out.lost(path.to_path_buf(), position, (from, end), &fault);
            scanner.expected = end;
            return Ok(());
        }
    }

    fn check_carried(&self, out: &mut Inspected, path: PathBuf) -> io::Result<()> {
        let bytes = match self.fs.read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if Carried::decode(&bytes, self.topic, self.partition).is_none() {
            let reason = "its checksum is wrong, or it is another partition's".into();
            out.found.push(Found { path, position: 0, kind: FoundKind::Carried, reason });
        }
        Ok(())
    }

    fn check_footer(&self, out: &mut Inspected, path: &Path, base: i64, scanner: &BatchScanner<'_>) -> io::Result<()> {
        let footer = footer_path(path);
        let bytes = match self.fs.read(&footer) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let facts = decode_footer(&bytes, self.topic, self.partition, base);
        let hurt = out.found.iter().any(|f| f.path == path);
        let reason = match facts {
            None => "its checksum is wrong, or it is another segment's",
            Some(facts) if !hurt && facts.end != scanner.expected => "it does not say where the segment ends",
            Some(_) => return Ok(()),
        };
        out.found.push(Found { path: footer, position: 0, kind: FoundKind::Footer, reason: reason.into() });
        Ok(())
    }
}

impl Inspected {
    fn lost(&mut self, path: PathBuf, position: u64, offsets: (i64, i64), reason: &str) {
        let kind = FoundKind::Lost(offsets.0, offsets.1);
        self.found.push(Found { path, position, kind, reason: reason.into() });
    }

    fn tail(&mut self, path: PathBuf, position: u64, from: i64, reason: &str) {
        self.found.push(Found { path, position, kind: FoundKind::Tail(from), reason: reason.into() });
    }
}
