//! Which bytes of a partition a backup needs.

use std::path::PathBuf;
use std::sync::Arc;

use arus_core::Result;
use arus_core::fs::File;

use super::carried::is_carried;
use super::partition::Partition;
use super::read::nearest;
use super::scan::{BatchScanner, Step};
use super::segment::footer_path;
use crate::locked;

/// The part of a segment that is before an offset.
pub(crate) struct SegmentPart {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    /// The whole of it, and sealed: it is never written again.
    pub(crate) fixed: bool,
    pub(crate) footer: Option<PathBuf>,
}

impl Partition {
    /// What retention has carried over from segments that are gone.
    pub(crate) fn carried_files(&self) -> Result<Vec<PathBuf>> {
        let found = self.place.fs.list(&self.place.dir).map_err(|e| self.place.io("list the folder of", e))?;
        Ok(found.into_iter().map(|e| e.path).filter(|path| is_carried(path)).collect())
    }

    /// All segments with offsets before `end`, cut there; the first one in any case, since its name says where the log starts.
    pub(crate) fn segments_below(&self, end: i64) -> Result<Vec<SegmentPart>> {
        let mut parts = vec![];
        // The last one in which `end` is, with a batch's place before it: read without the lock.
        let mut cut: Option<(Arc<dyn File>, i64, u64, u64)> = None;
        {
            let inner = locked(&self.inner);
            for (i, segment) in inner.segments.iter().enumerate() {
                if i > 0 && segment.base >= end {
                    break;
                }
                let fixed = segment.sealed && segment.facts.end <= end;
                if !fixed && segment.facts.end > end {
                    let (offset, position) = nearest(&inner, segment, end);
                    cut = Some((segment.file.clone(), offset, position, segment.facts.len));
                }
                let footer = footer_path(&segment.path);
                parts.push(SegmentPart {
                    path: segment.path.clone(),
                    bytes: segment.facts.len,
                    fixed,
                    footer: Some(footer),
                });
            }
        }
        for part in &mut parts {
            let footer = part.footer.take();
            let exists = |path: &PathBuf| self.place.fs.exists(path).map_err(|e| self.place.io("look at", e));
            part.footer = footer.map(|path| exists(&path).map(|there| there.then_some(path))).transpose()?.flatten();
        }
        if let (Some((file, offset, position, len)), Some(part)) = (cut, parts.last_mut()) {
            let mut scanner = BatchScanner::new(file.as_ref(), self.place.home(), position, len, offset);
            while scanner.expected < end {
                match scanner.next_batch().map_err(|e| self.place.io("read", e))? {
                    Step::Batch(..) => {}
                    // Damage: all of it comes along, as it is.
                    Step::Fault(_) | Step::End => return Ok(parts),
                }
            }
            part.bytes = scanner.position;
        }
        Ok(parts)
    }
}
