//! Reading a segment batch by batch, and finding the next good batch after damage.

use std::io;

use arus_core::fs::File;

use super::record_batch::{BatchFault, BatchHeader, HEADER_BYTES, Home, stored_batch};

const CHUNK_BYTES: usize = 1 << 20;

/// Goes through the batches of a file from a position on; holds about one chunk or one batch in memory.
pub(crate) struct BatchScanner<'a> {
    file: &'a dyn File,
    home: Home,
    len: u64,
    pub(crate) position: u64,
    /// The offset that the batch at `position` has to have.
    pub(crate) expected: i64,
    buffer: Vec<u8>,
    buffer_at: u64,
}

pub(crate) enum Step<'a> {
    /// It stood at this position; the scanner is behind it now.
    Batch(u64, BatchHeader, &'a [u8]),
    /// The scanner still stands before it.
    Fault(BatchFault),
    End,
}

impl<'a> BatchScanner<'a> {
    pub(crate) fn new(file: &'a dyn File, home: Home, position: u64, len: u64, expected: i64) -> Self {
        BatchScanner { file, home, len, position, expected, buffer: vec![], buffer_at: 0 }
    }

    /// Bytes from `position` on: at least `n`, or all there are.
    fn fill(&mut self, n: usize) -> io::Result<&[u8]> {
        let left = (self.len - self.position) as usize;
        let held_to = self.buffer_at + self.buffer.len() as u64;
        let held = self.position >= self.buffer_at && self.position + n.min(left) as u64 <= held_to;
        if !held {
            self.buffer.resize(n.max(CHUNK_BYTES).min(left), 0);
            let read = self.file.read_at(self.position, &mut self.buffer)?;
            // Shorter than its length said: what is missing is noticed as a cut batch.
            self.buffer.truncate(read);
            self.buffer_at = self.position;
        }
        Ok(&self.buffer[(self.position - self.buffer_at) as usize..])
    }

    pub(crate) fn next_batch(&mut self) -> io::Result<Step<'_>> {
        if self.position >= self.len {
            return Ok(Step::End);
        }
        let (expected, home) = (self.expected, self.home);
        let needed = match stored_batch(self.fill(HEADER_BYTES)?, expected, home) {
            Ok(header) => header.bytes,
            Err(BatchFault::Truncated { needed, .. }) => needed,
            Err(fault) => return Ok(Step::Fault(fault)),
        };
        let position = self.position;
        let bytes = self.fill(needed)?;
        match stored_batch(bytes, expected, home) {
            Ok(header) => {
                self.position += header.bytes as u64;
                self.expected = header.next_offset();
                let at = (position - self.buffer_at) as usize;
                Ok(Step::Batch(position, header, &self.buffer[at..at + header.bytes]))
            }
            Err(fault) => Ok(Step::Fault(fault)),
        }
    }

    /// Steps over damage to the next batch with a right sum and an offset in `expected + 1 .. below`; false: none.
    pub(crate) fn resync(&mut self, below: i64) -> io::Result<bool> {
        let (expected, home) = (self.expected, self.home);
        self.position += 1;
        while self.position + HEADER_BYTES as u64 <= self.len {
            let bytes = self.fill(HEADER_BYTES)?;
            if bytes.len() < HEADER_BYTES {
                break;
            }
            // A cheap mark first: version 2.
            let candidates = bytes.len() - HEADER_BYTES + 1;
            let hit = (0..candidates).find(|i| bytes[i + 16] == 2);
            let Some(hit) = hit else {
                self.position += candidates as u64;
                continue;
            };
            let found = BatchHeader::parse(&bytes[hit..]);
            self.position += hit as u64;
            if let Ok(header) = found
                && header.base_offset > expected
                && header.base_offset < below
                && stored_batch(self.fill(header.bytes)?, header.base_offset, home).is_ok()
            {
                self.expected = header.base_offset;
                return Ok(true);
            }
            self.position += 1;
        }
        self.position = self.len;
        Ok(false)
    }
}
