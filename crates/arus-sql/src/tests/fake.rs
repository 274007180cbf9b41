//! A catalog in memory, and connectors whose options stay as they are when the real ones grow.

use std::collections::BTreeMap;
use std::sync::Arc;

use arus_core::catalog::{
    Catalog, CatalogDef, CatalogObject, ConnectorCatalog, DEFAULT_CATALOG, ObjectPath, PartitionSpec, TableDef, ViewDef,
};
use arus_core::connector::{
    ConnectContext, Connector, Decoder, Encoder, Format, OptionDef, OptionKind, SinkWriter, Source,
};
use arus_core::plan::ChangelogMode;
use arus_core::schema::RowSchema;
use arus_core::{Error, Result};

pub(super) struct FakeCatalog {
    objects: BTreeMap<ObjectPath, CatalogObject>,
    catalogs: Vec<CatalogDef>,
    /// By catalog.
    databases: Vec<(String, String)>,
    partitions: BTreeMap<ObjectPath, Vec<PartitionSpec>>,
}

impl Default for FakeCatalog {
    fn default() -> Self {
        let mut catalog =
            FakeCatalog { objects: BTreeMap::new(), catalogs: vec![], databases: vec![], partitions: BTreeMap::new() };
        catalog.add_catalog(CatalogDef::default_catalog());
        catalog.add_database(DEFAULT_CATALOG, "other");
        catalog.add_database(DEFAULT_CATALOG, "arus");
        catalog
    }
}

impl FakeCatalog {
    pub(super) fn add_table(&mut self, table: TableDef) {
        self.objects.insert(table.path.clone(), CatalogObject::Table(Arc::new(table)));
    }

    pub(super) fn remove(&mut self, path: &ObjectPath) {
        self.objects.remove(path);
    }

    pub(super) fn add_view(&mut self, view: ViewDef) {
        self.objects.insert(view.path.clone(), CatalogObject::View(Arc::new(view)));
    }

    pub(super) fn add_catalog(&mut self, def: CatalogDef) {
        self.add_database(&def.name, def.default_database());
        self.catalogs.retain(|c| c.name != def.name);
        self.catalogs.push(def);
    }

    pub(super) fn remove_catalog(&mut self, name: &str) {
        self.catalogs.retain(|c| c.name != name);
    }

    pub(super) fn add_database(&mut self, catalog: &str, name: &str) {
        let place = (catalog.to_string(), name.to_string());
        if !self.databases.contains(&place) {
            self.databases.push(place);
        }
    }

    pub(super) fn partition(&mut self, table: &ObjectPath, add: bool, specs: Vec<PartitionSpec>) {
        let known = self.partitions.entry(table.clone()).or_default();
        known.retain(|spec| !specs.contains(spec));
        if add {
            known.extend(specs);
        }
    }
}

impl Catalog for FakeCatalog {
    fn object(&self, path: &ObjectPath) -> Option<CatalogObject> {
        self.objects.get(&path.as_temporary(true)).or_else(|| self.objects.get(path)).cloned()
    }

    fn permanent(&self, path: &ObjectPath) -> Option<CatalogObject> {
        self.objects.get(&path.as_temporary(false)).cloned()
    }

    fn objects(&self, database: &str) -> Vec<CatalogObject> {
        self.objects_in(DEFAULT_CATALOG, database)
    }

    fn databases(&self) -> Vec<String> {
        self.databases_in(DEFAULT_CATALOG)
    }

    fn catalogs(&self) -> Vec<CatalogDef> {
        self.catalogs.clone()
    }

    fn objects_in(&self, catalog: &str, database: &str) -> Vec<CatalogObject> {
        let within = |p: &ObjectPath| p.catalog == catalog && p.database == database;
        self.objects.iter().filter(|(p, _)| within(p)).map(|(_, o)| o.clone()).collect()
    }

    fn databases_in(&self, catalog: &str) -> Vec<String> {
        self.databases.iter().filter(|(c, _)| c == catalog).map(|(_, name)| name.clone()).collect()
    }

    fn partitions(&self, table: &ObjectPath) -> Vec<PartitionSpec> {
        self.partitions.get(table).cloned().unwrap_or_default()
    }
}

pub(super) struct FakeConnectors;

struct FakeConnector {
    name: &'static str,
    options: &'static [OptionDef],
    source: bool,
    sink: bool,
    format: bool,
    mode: ChangelogMode,
}

const fn option(name: &'static str, kind: OptionKind, required: bool) -> OptionDef {
    OptionDef { name, kind, required, default: None, about: "for tests" }
}

static CONNECTORS: [FakeConnector; 3] = [
    FakeConnector {
        name: "print",
        options: &[
            option("print-identifier", OptionKind::Text, false),
            option("standard-error", OptionKind::Boolean, false),
        ],
        source: false,
        sink: true,
        format: false,
        mode: ChangelogMode::ALL,
    },
    FakeConnector {
        name: "filesystem",
        options: &[
            option("path", OptionKind::Text, true),
            option("source.monitor-interval", OptionKind::Duration, false),
        ],
        source: true,
        sink: true,
        format: true,
        mode: ChangelogMode::INSERT_ONLY,
    },
    FakeConnector {
        name: "datagen",
        options: &[
            option("rows-per-second", OptionKind::Integer, false),
            option("fields.#.kind", OptionKind::Choice(&["random", "sequence"]), false),
        ],
        source: true,
        sink: false,
        format: false,
        mode: ChangelogMode::INSERT_ONLY,
    },
];

impl Connector for FakeConnector {
    fn name(&self) -> &'static str {
        self.name
    }

    fn options(&self) -> &'static [OptionDef] {
        self.options
    }

    fn takes_format(&self) -> bool {
        self.format
    }

    fn is_source(&self) -> bool {
        self.source
    }

    fn is_sink(&self) -> bool {
        self.sink
    }

    fn sink_mode(&self, _: &TableDef) -> ChangelogMode {
        self.mode
    }

    fn source(&self, _: &TableDef, _: &ConnectContext) -> Result<Arc<dyn Source>> {
        Err(Error::bug("not opened here"))
    }

    fn sink(&self, _: &TableDef, _: &ConnectContext) -> Result<Box<dyn SinkWriter>> {
        Err(Error::bug("not opened here"))
    }
}

struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn options(&self) -> &'static [OptionDef] {
        const OPTIONS: &[OptionDef] = &[option("ignore-parse-errors", OptionKind::Boolean, false)];
        OPTIONS
    }

    fn decoder(&self, _: &TableDef, _: &RowSchema, _: &ConnectContext) -> Result<Box<dyn Decoder>> {
        Err(Error::bug("not opened here"))
    }

    fn encoder(&self, _: &TableDef, _: &RowSchema, _: &ConnectContext) -> Result<Box<dyn Encoder>> {
        Err(Error::bug("not opened here"))
    }
}

impl ConnectorCatalog for FakeConnectors {
    fn connector(&self, name: &str) -> Option<&dyn Connector> {
        CONNECTORS.iter().find(|c| c.name == name).map(|c| c as &dyn Connector)
    }

    fn connector_names(&self) -> Vec<&'static str> {
        CONNECTORS.iter().map(|c| c.name).collect()
    }

    fn format(&self, name: &str) -> Option<&dyn Format> {
        (name == "json").then_some(&Json as &dyn Format)
    }

    fn format_names(&self) -> Vec<&'static str> {
        vec!["json"]
    }
}
