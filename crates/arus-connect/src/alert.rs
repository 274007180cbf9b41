//! The sink of CREATE ALERT: rows go by an outbox to the engine, which keeps what is firing.

use arus_core::catalog::TableDef;
use arus_core::connector::{ConnectContext, Connector, OptionDef, SinkWriter};
use arus_core::error::Code;
use arus_core::{Error, Result};

use crate::outbox::OutboxWriter;

pub(crate) struct Alert;

impl Connector for Alert {
    fn name(&self) -> &'static str {
        "alert"
    }

    fn options(&self) -> &'static [OptionDef] {
        &[]
    }

    fn is_sink(&self) -> bool {
        true
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
