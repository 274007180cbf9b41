//! What a partition's files hold after a start: the rules of recovery.
//!
//! Below the last known durable end nothing is ever cut; damage there is noted and reading goes on behind it. Beyond
//! it a client's partition keeps the batches up to the first invalid one, and that tail is written and synced again before
//! anybody reads it, since it may live in the page cache alone. A pipeline's partition is cut to its marker. A sealed
//! segment's valid footer proves that it was synced.

use std::io;
use std::path::{Path, PathBuf};

use arus_core::error::Code;
use arus_core::{Error, Result, planted};

use super::carried::{Carried, is_carried};
use super::partition::{Inner, Place};
use super::record_batch::{BatchFault, idempotency_key};
use super::scan::{BatchScanner, Step};
use super::segment::{
    Facts, HeldKey, SEGMENT_HEADER_BYTES, Segment, base_of, decode_footer, footer_path, segment_header,
};

const COPY_BYTES: usize = 1 << 20;

/// What the manifest says of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownEnd {
    /// Clients write it: everything before was synced, later batches are kept as far as they are whole.
    Client(i64),
    /// A pipeline writes it: what is beyond the marker belongs to no checkpoint.
    Pipeline(i64),
}

struct Recovery<'a> {
    place: &'a Place,
    /// Below it nothing is cut.
    known: i64,
    keep_beyond: bool,
    inner: Inner,
    /// Where `known` stands, when it was met: (index of the segment, position).
    known_at: Option<(usize, u64)>,
    now_ms: i64,
}

pub(crate) fn recover(place: &Place, known: KnownEnd) -> Result<Inner> {
    let io = |action: &'static str| move |error| place.io(action, error);
    if !place.fs.exists(&place.dir).map_err(io("look for the folder of"))? {
        place.fs.create_dir_all(&place.dir).map_err(io("create the folder of"))?;
        for dir in place.dir.ancestors().skip(1).take(2) {
            place.fs.sync_dir(dir).map_err(io("sync the parent folder of"))?;
        }
    }
    let mut bases = vec![];
    let mut footers = vec![];
    let mut carried = vec![];
    for entry in place.fs.list(&place.dir).map_err(io("list the folder of"))? {
        match base_of(&entry.path) {
            Some(base) => bases.push((base, entry.path)),
            None if is_carried(&entry.path) => carried.push(entry.path),
            None => footers.push(entry.path),
        }
    }
    for footer in footers {
        // A footer whose segment retention has removed, or that was never finished.
        if !bases.iter().any(|(_, path)| footer_path(path) == footer) {
            place.fs.remove_file(&footer).map_err(io("remove an old footer of"))?;
        }
    }
    bases.sort();
    let (known, keep_beyond) = match known {
        KnownEnd::Client(end) => (end, true),
        KnownEnd::Pipeline(marker) => (marker, planted("topic-not-cut")),
    };
    // Retention may have gone past an old checkpoint's word.
    let known = known.max(bases.first().map_or(0, |b| b.0));
    let now_ms = place.clock.now_ms();
    let mut recovery = Recovery { place, known, keep_beyond, inner: Inner::default(), known_at: None, now_ms };
    carried.sort();
    recovery.take_carried(&carried)?;
    recovery.load_all(bases)?;
    recovery.finish()
}

impl Recovery<'_> {
    fn io(&self, action: &str, error: io::Error) -> Error {
        self.place.io(action, error)
    }

    /// What segments that are gone have said. An older file has less than a newer one.
    fn take_carried(&mut self, paths: &[PathBuf]) -> Result<()> {
        for path in paths {
            let bytes = self.place.fs.read(path).map_err(|e| self.io("read a file of", e))?;
            let Some(carried) = Carried::decode(&bytes, self.place.topic, self.place.number) else {
                tracing::error!(path = %path.display(), "damaged: retried requests of removed segments are not known any more");
                continue;
            };
            carried.keys.into_iter().for_each(|held| self.inner.hold_key(held));
            carried.producers.into_iter().for_each(|p| self.inner.producers.put(p, self.now_ms));
        }
        Ok(())
    }

    /// Takes the segments in order, up to the first that is to be cut.
    fn load_all(&mut self, bases: Vec<(i64, PathBuf)>) -> Result<()> {
        for (i, (base, path)) in bases.iter().enumerate() {
            let below = bases.get(i + 1).map_or(i64::MAX, |next| next.0);
            let expected = self.inner.segments.last().map_or(*base, |s| s.facts.end);
            let unknown = expected >= self.known;
            if unknown && i > 0 && (!self.keep_beyond || *base != expected) {
                return self.remove(&bases[i..]);
            }
            if *base < expected && self.is_unused(path)? {
                // Its start failed for want of space, and the segment before went on.
                self.remove(&bases[i..=i])?;
                continue;
            }
            if *base < expected {
                let message = format!(
                    "{}: segment {} begins at offset {base}, but the one before it ends at {expected}",
                    self.place.label(),
                    path.display()
                );
                return Err(Error::external(message)
                    .with_code(Code::Corrupt)
                    .with_hint("one of the two files is not of this log: restore the folder from a copy"));
            }
            if *base > expected {
                self.lost_before(*base);
            }
            if !self.load(*base, path, below)? {
                return self.remove(&bases[i + 1..]);
            }
        }
        Ok(())
    }

    /// Whether the segment never got a batch.
    fn is_unused(&self, path: &Path) -> Result<bool> {
        let len = self.place.fs.open(path).and_then(|file| file.len());
        Ok(len.map_err(|e| self.io("read a segment of", e))? <= SEGMENT_HEADER_BYTES)
    }

    /// The end of the last segment is missing: nothing may take its offsets again.
    fn lost_before(&mut self, base: i64) {
        let Some(segment) = self.inner.segments.last_mut() else { return };
        let offsets = (segment.facts.end, base);
        let reason = "its end is missing";
        let damage = self.place.damage(segment.base, segment.path.clone(), segment.facts.len, offsets, &reason);
        segment.facts.end = base;
        segment.sealed = true;
        self.inner.damages.push(damage);
    }

    /// Takes one segment; false: it was cut, and so are all later ones.
    fn load(&mut self, base: i64, path: &Path, below: i64) -> Result<bool> {
        let file = self.place.fs.open_append(path).map_err(|e| self.io("open a segment of", e))?;
        let len = file.len().map_err(|e| self.io("read a segment of", e))?;
        let footer = footer_path(path);
        let facts = if self.place.fs.exists(&footer).map_err(|e| self.io("look at", e))? {
            let bytes = self.place.fs.read(&footer).map_err(|e| self.io("read a footer of", e))?;
            decode_footer(&bytes, self.place.topic, self.place.number, base)
        } else {
            None
        };
        // A pipeline's segment beyond the marker is cut, whatever its footer says.
        let facts = facts.filter(|f| f.len <= len && (self.keep_beyond || f.end <= self.known));
        if let Some(mut facts) = facts {
            self.known = self.known.max(facts.end);
            std::mem::take(&mut facts.keys).into_iter().for_each(|key| self.inner.hold_key(key));
            let producers = std::mem::take(&mut facts.producers);
            producers.into_iter().for_each(|producer| self.inner.producers.put(producer, self.now_ms));
            self.inner.segments.push(Segment { base, path: path.to_path_buf(), file, facts, sealed: true });
            return Ok(true);
        }
        self.inner.segments.push(Segment {
            base,
            path: path.to_path_buf(),
            file,
            facts: Facts { last_append_ms: self.now_ms, ..Facts::empty(base) },
            sealed: false,
        });
        self.read_segment(len, below)
    }

    /// Reads the segment that was pushed last, batch by batch.
    fn read_segment(&mut self, len: u64, below: i64) -> Result<bool> {
        let index = self.inner.segments.len() - 1;
        let (base, file, path) = {
            let s = &self.inner.segments[index];
            (s.base, s.file.clone(), s.path.clone())
        };
        let mut header = vec![0; SEGMENT_HEADER_BYTES.min(len) as usize];
        file.read_exact_at(0, &mut header).map_err(|e| self.io("read a segment of", e))?;
        if header != segment_header(self.place.topic, self.place.number, base) {
            if base >= self.known {
                self.cut(index, 0)?;
                return Ok(false);
            }
            // Its batches have their own sums and may all be good.
            self.note(base, &path, 0, (base, base), &"its header is not the one of this segment");
        }
        let mut scanner = BatchScanner::new(file.as_ref(), self.place.home(), SEGMENT_HEADER_BYTES.min(len), len, base);
        loop {
            if scanner.expected == self.known && self.known_at.is_none() {
                self.known_at = Some((index, scanner.position));
            }
            if !self.keep_beyond && scanner.expected >= self.known {
                let (expected, position) = (scanner.expected, scanner.position);
                if expected > self.known {
                    return Err(Error::bug(format!(
                        "{}: the marker {} is inside a batch that ends at {expected}",
                        self.place.label(),
                        self.known
                    )));
                }
                self.cut(index, position)?;
                return Ok(false);
            }
            let fault = match scanner.next_batch().map_err(|e| self.place.io("read a segment of", e))? {
                Step::Batch(position, header, batch) => {
                    let facts = &mut self.inner.segments[index].facts;
                    facts.len = position;
                    facts.add(header.base_offset, header.next_offset(), header.bytes, header.max_timestamp);
                    if !planted("producers-forgotten") {
                        self.inner.producers.note(&header, header.base_offset, self.now_ms);
                    }
                    if let Ok(Some(key)) = idempotency_key(&header, batch) {
                        let held = HeldKey {
                            key,
                            base_offset: header.base_offset,
                            last_offset: header.next_offset() - 1,
                            time_ms: header.max_timestamp.min(self.now_ms),
                        };
                        self.inner.segments[index].facts.keys.push(held.clone());
                        if !planted("retries-forgotten") {
                            self.inner.hold_key(held);
                        }
                    }
                    continue;
                }
                Step::End => return Ok(true),
                Step::Fault(fault) => fault,
            };
            if planted("torn-tail-jams") {
                return Err(Error::external(format!("{}: {fault}", self.place.label())).with_code(Code::Corrupt));
            }
            if scanner.expected >= self.known {
                let position = scanner.position;
                self.cut(index, position)?;
                return Ok(false);
            }
            if !self.step_over(index, &mut scanner, len, below.min(self.known + 1), &fault)? {
                return Ok(true);
            }
        }
    }

    /// Damage below the known end: notes it and goes on at the next good batch; false: there is none.
    fn step_over(
        &mut self,
        index: usize,
        scanner: &mut BatchScanner<'_>,
        len: u64,
        below: i64,
        fault: &BatchFault,
    ) -> Result<bool> {
        let (position, expected) = (scanner.position, scanner.expected);
        let found = scanner.resync(below).map_err(|e| self.io("read a segment of", e))?;
        let segment = &mut self.inner.segments[index];
        segment.facts.len = scanner.position.min(len);
        let (base, path) = (segment.base, segment.path.clone());
        if !found {
            // Everything up to the next segment or the known end is hidden; the bytes stay for whoever can read them.
            segment.facts.len = len;
            segment.facts.end = below.min(self.known);
            segment.sealed = true;
            let end = segment.facts.end;
            self.note(base, &path, position, (expected, end), fault);
            return Ok(false);
        }
        let offsets = (expected, scanner.expected);
        self.note(base, &path, position, offsets, fault);
        if let Some(damage) = self.inner.damages.last_mut() {
            damage.next_position = scanner.position;
        }
        Ok(true)
    }

    fn note(&mut self, base: i64, path: &Path, position: u64, offsets: (i64, i64), reason: &dyn std::fmt::Display) {
        let damage = self.place.damage(base, path.to_path_buf(), position, offsets, reason);
        tracing::error!(damage = %damage.to_error(), "damage found at the start");
        self.inner.damages.push(damage);
    }

    /// Cuts the segment at `position`; it goes on from there.
    fn cut(&mut self, index: usize, position: u64) -> Result<()> {
        let label = self.place.label();
        let segment = &mut self.inner.segments[index];
        let footer = footer_path(&segment.path);
        let failed = |e| Error::io("cut the tail of", &label, e);
        // The footer first: it would call the shorter file damaged.
        if self.place.fs.exists(&footer).map_err(failed)? {
            self.place.fs.remove_file(&footer).map_err(failed)?;
            self.place.fs.sync_dir(&self.place.dir).map_err(failed)?;
        }
        if position < SEGMENT_HEADER_BYTES {
            segment.file.truncate(0).map_err(failed)?;
            let header = segment_header(self.place.topic, self.place.number, segment.base);
            segment.file.append(&header).map_err(failed)?;
            segment.facts.len = SEGMENT_HEADER_BYTES;
        } else {
            segment.file.truncate(position).map_err(failed)?;
            segment.facts.len = position;
        }
        Ok(())
    }

    /// Removes segments that begin beyond what is kept, the last one first.
    fn remove(&self, bases: &[(i64, PathBuf)]) -> Result<()> {
        for (_, path) in bases.iter().rev() {
            let footer = footer_path(path);
            if self.place.fs.exists(&footer).map_err(|e| self.io("look at", e))? {
                self.place.fs.remove_file(&footer).map_err(|e| self.io("cut the tail of", e))?;
            }
            self.place.fs.remove_file(path).map_err(|e| self.io("cut the tail of", e))?;
        }
        Ok(())
    }

    /// Makes what is kept durable, and gives the partition a segment to append to.
    fn finish(mut self) -> Result<Inner> {
        let end = self.inner.segments.last().map_or(0, |s| s.facts.end);
        if end < self.known {
            match self.inner.segments.is_empty() {
                true => {
                    let path = self.place.dir.clone();
                    self.note(self.known, &path, 0, (0, self.known), &"all of its segments are missing");
                }
                false => {
                    let known = self.known;
                    self.lost_before(known);
                }
            }
        }
        let first_unsynced = self.known_at.map_or(usize::MAX, |(index, _)| index);
        for (i, segment) in self.inner.segments.iter().enumerate() {
            let from = match self.known_at {
                Some((index, position)) if i == index => position,
                _ if i > first_unsynced => 0,
                _ => continue,
            };
            if planted("cached-tail-trusted") {
                continue;
            }
            if self.keep_beyond {
                rewrite(segment, from).map_err(|e| self.io("write the tail again of", e))?;
            }
            segment.file.sync().map_err(|e| self.io("sync the tail of", e))?;
        }
        if self.inner.segments.last().is_none_or(|s| s.sealed) {
            let base = self.inner.segments.last().map_or(self.known, |s| s.facts.end);
            let segment = self.place.create_segment(base).map_err(|e| self.io("start a segment of", e))?;
            segment.file.sync().map_err(|e| self.io("sync a segment of", e))?;
            self.inner.segments.push(segment);
        }
        self.place.fs.sync_dir(&self.place.dir).map_err(|e| self.io("sync the folder of", e))?;
        Ok(self.inner)
    }
}

/// Writes the same bytes again: pages that a failed sync has called clean are dirty afterwards.
fn rewrite(segment: &Segment, from: u64) -> io::Result<()> {
    let mut position = from;
    while position < segment.facts.len {
        let mut bytes = vec![0; COPY_BYTES.min((segment.facts.len - position) as usize)];
        segment.file.read_exact_at(position, &mut bytes)?;
        segment.file.write_at(position, &bytes)?;
        position += bytes.len() as u64;
    }
    segment.file.truncate(segment.facts.len)
}
