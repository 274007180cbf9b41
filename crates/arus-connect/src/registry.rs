//! The connectors and formats that are compiled in: two plain lists. A new one is a file and a line.

use arus_core::catalog::{ConnectorCatalog, TableDef};
use arus_core::connector::{Connector, Format};
use arus_core::{Error, Result};

use crate::alert::Alert;
use crate::format;
use crate::sink;
use crate::source;

/// By name. Each has its file in `source/` or `sink/`.
static CONNECTORS: &[&dyn Connector] = &[
    &sink::blackhole::Blackhole,
    &source::datagen::Datagen,
    &source::filesystem::Filesystem,
    &source::host_metrics::HostMetrics,
    &sink::jdbc::Jdbc,
    &source::nexmark::Nexmark,
    &sink::print::Print,
    &source::shop::Shop,
];

/// By name. Each has its file in `format/`.
static FORMATS: &[&dyn Format] = &[
    &format::csv::Csv,
    &format::debezium_json::DebeziumJson,
    &format::json::Json,
    &format::kafka_record::KafkaRecord,
    &format::parquet::Parquet,
    &format::raw::Raw,
];

/// What the binder and the engine look names up in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Registry;

impl ConnectorCatalog for Registry {
    fn connector(&self, name: &str) -> Option<&dyn Connector> {
        // The sink of CREATE ALERT is nobody's to declare, so that no list has it.
        let own: &dyn Connector = &Alert;
        CONNECTORS.iter().copied().chain([own]).find(|c| c.name() == name).map(|c| c as _)
    }

    fn connector_names(&self) -> Vec<&'static str> {
        CONNECTORS.iter().map(|c| c.name()).collect()
    }

    fn format(&self, name: &str) -> Option<&dyn Format> {
        FORMATS.iter().copied().find(|f| f.name() == name).map(|f| f as _)
    }

    fn format_names(&self) -> Vec<&'static str> {
        FORMATS.iter().map(|f| f.name()).collect()
    }
}

/// The format that a table with a connector names.
pub(crate) fn format_of(table: &TableDef) -> Result<&'static dyn Format> {
    let name = table.option("format").unwrap_or_default();
    FORMATS
        .iter()
        .copied()
        .find(|f| f.name() == name)
        .ok_or_else(|| Error::user(format!("table '{}': format '{name}' does not exist", table.path)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The names of the files in folders of `src`, as connectors and formats are named.
    #[expect(clippy::disallowed_methods, reason = "the source tree itself")]
    fn files(folders: &[&str]) -> BTreeSet<String> {
        let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        folders
            .iter()
            .flat_map(|folder| std::fs::read_dir(src.join(folder)).expect(folder))
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|e| e == "rs"))
            .map(|path| path.file_stem().expect("a name").to_string_lossy().replace('_', "-"))
            .collect()
    }

    #[test]
    fn lists_are_the_folders() {
        assert_eq!(files(&["source", "sink"]), Registry.connector_names().iter().map(|n| n.to_string()).collect());
        assert_eq!(files(&["format"]), Registry.format_names().iter().map(|n| n.to_string()).collect());
        for names in [Registry.connector_names(), Registry.format_names()] {
            assert!(names.is_sorted(), "{names:?}");
        }
    }
}
