//! `'connector' = 'blackhole'`: takes every row and keeps none.

use arus_core::catalog::TableDef;
use arus_core::connector::{ConnectContext, Connector, OptionDef, SinkWriter};
use arus_core::plan::ChangelogMode;
use arus_core::{ChangeBatch, Result};

pub(crate) struct Blackhole;

impl Connector for Blackhole {
    fn name(&self) -> &'static str {
        "blackhole"
    }

    fn options(&self) -> &'static [OptionDef] {
        &[]
    }

    fn is_sink(&self) -> bool {
        true
    }

    fn sink_mode(&self, _table: &TableDef) -> ChangelogMode {
        ChangelogMode::UPSERT
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
