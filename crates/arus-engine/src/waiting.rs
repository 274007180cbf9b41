//! Sources that wait while the disk is full, where what they bring would take more of it.
//!
//! Barriers pass as ever, so checkpoints go on and can free something; the pipeline reads on where it stood.

use std::sync::Arc;

use arus_core::connector::{PollLimit, Polled, Position, Source, SourceReader, Split};
use arus_core::{Datum, Result};

use crate::config::Mode;
use crate::jobs::Job;
use crate::shared::Shared;
use crate::tables::Store;

/// The source of a running job's scan; it waits when the job writes topics, or reads what is not in the folder yet.
pub(crate) fn waiting(source: Arc<dyn Source>, shared: &Arc<Shared>, job: &Job, in_folder: bool) -> Arc<dyn Source> {
    let writes_topic = |path| shared.tables.get(path).is_some_and(|t| matches!(t.store, Store::Topic(_)));
    if shared.config.mode == Mode::Run || in_folder && !job.spec.targets.iter().any(writes_topic) {
        return source;
    }
    Arc::new(Waiting { source, shared: shared.clone() })
}

struct Waiting {
    source: Arc<dyn Source>,
    shared: Arc<Shared>,
}

struct WaitingReader {
    reader: Box<dyn SourceReader>,
    shared: Arc<Shared>,
}

impl Source for Waiting {
    fn bounded(&self) -> bool {
        self.source.bounded()
    }

    fn enumerate(&self, known: &[Split]) -> Result<Vec<Split>> {
        self.source.enumerate(known)
    }

    fn discovery_interval_ms(&self) -> Option<u64> {
        self.source.discovery_interval_ms()
    }

    fn sequential(&self) -> bool {
        self.source.sequential()
    }

    fn open(&self, split: &Split, position: Option<&Position>) -> Result<Box<dyn SourceReader>> {
        let reader = self.source.open(split, position)?;
        Ok(Box::new(WaitingReader { reader, shared: self.shared.clone() }))
    }

    fn replayable(&self) -> bool {
        self.source.replayable()
    }
}

impl SourceReader for WaitingReader {
    fn poll(&mut self, limit: PollLimit) -> Result<Polled> {
        if self.shared.disk.is_full() { Ok(Polled::Idle) } else { self.reader.poll(limit) }
    }

    fn position(&self) -> Position {
        self.reader.position()
    }

    fn on_barrier(&mut self) {
        self.reader.on_barrier();
    }

    fn on_durable(&mut self, position: &Position) -> Result<()> {
        self.reader.on_durable(position)
    }

    fn backlog(&self) -> Option<u64> {
        self.reader.backlog()
    }

    fn metadata(&self, key: &str) -> Option<Datum> {
        self.reader.metadata(key)
    }
}
