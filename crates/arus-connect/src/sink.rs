//! Connectors that only write. One file each.

pub(crate) mod blackhole;
pub(crate) mod filesystem;
pub(crate) mod jdbc;
pub(crate) mod print;

use arus_core::Error;
use arus_core::catalog::TableDef;
use arus_core::error::Code;

pub(crate) fn not_a_source(connector: &str, table: &TableDef) -> Error {
    Error::user(format!("table '{}': connector '{connector}' can only be used as a sink, not as a source", table.path))
        .with_code(Code::NotSupported)
}
