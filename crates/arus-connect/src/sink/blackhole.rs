//! `'connector' = 'blackhole'`: takes every row and keeps none.

use std::sync::Arc;

use arus_core::catalog::TableDef;
use arus_core::connector::{ConnectContext, Connector, OptionDef, SinkWriter, Source};
use arus_core::plan::ChangelogMode;
use arus_core::{ChangeBatch, Result};

use crate::sink::not_a_source;

pub(crate) struct Blackhole;

impl Connector for Blackhole {
    fn name(&self) -> &'static str {
        "blackhole"
    }

    fn options(&self) -> &'static [OptionDef] {
        &[]
    }

    fn is_source(&self) -> bool {
        false
    }

    fn is_sink(&self) -> bool {
        true
    }

    fn sink_mode(&self, _table: &TableDef) -> ChangelogMode {
        ChangelogMode::UPSERT
    }

    fn source(&self, table: &TableDef, _cx: &ConnectContext) -> Result<Arc<dyn Source>> {
        Err(not_a_source(self.name(), table))
    }

    fn sink(&self, _table: &TableDef, _cx: &ConnectContext) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(Nothing))
    }

    fn parallel_sink(&self) -> bool {
        true
    }
}

struct Nothing;

impl SinkWriter for Nothing {
    fn write(&mut self, _batch: &ChangeBatch) -> Result<()> {
        Ok(())
    }
}
