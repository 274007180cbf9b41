//! The sink of CREATE ALERT: rows go by an outbox to the engine, which keeps what is firing.

use std::sync::Arc;

use arus_core::catalog::TableDef;
use arus_core::connector::{ConnectContext, Connector, OptionDef, SinkWriter, Source};
use arus_core::error::Code;
use arus_core::{Error, Result};

use crate::outbox::OutboxWriter;
use crate::sink::not_a_source;

pub(crate) struct Alert;

impl Connector for Alert {
    fn name(&self) -> &'static str {
        "alert"
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

    fn source(&self, table: &TableDef, _cx: &ConnectContext) -> Result<Arc<dyn Source>> {
        Err(not_a_source(self.name(), table))
    }

    fn sink(&self, table: &TableDef, _cx: &ConnectContext) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(OutboxWriter::new(table)))
    }

    fn check(&self, table: &TableDef) -> Result<()> {
        Err(Error::user(format!("table '{}': connector 'alert' belongs to alerts", table.path))
            .with_code(Code::InvalidOption)
            .with_hint("write CREATE ALERT .. ON (SELECT ..)"))
    }

    /// The engine itself is the outside end.
    fn has_outbox(&self) -> bool {
        true
    }
}
