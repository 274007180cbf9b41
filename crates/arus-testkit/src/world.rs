//! What SQL is planned against here: a catalog in memory and the connector `testkit`, whose tables hold given rows.
//!
//! Nothing is opened by its connector: whoever runs a plan brings sources and sinks.

use std::collections::BTreeMap;
use std::sync::Arc;

use arus_core::catalog::{Catalog, CatalogObject, ConnectorCatalog, ObjectPath, TableDef};
use arus_core::connector::{ConnectContext, Connector, Decoder, Encoder, Format, OptionDef, SinkWriter, Source};
use arus_core::expr::Expr;
use arus_core::function::{Evaluator, FunctionCatalog};
use arus_core::plan::{ChangelogMode, PhysicalPlan};
use arus_core::settings::Settings;
use arus_core::{Datum, Error, Result, RowSchema};
use arus_sql::{Planned, Planner, PlannerOptions, Rel};

pub struct World<'f> {
    pub settings: Settings,
    tables: BTreeMap<ObjectPath, CatalogObject>,
    functions: &'f dyn FunctionCatalog,
    evaluator: &'f dyn Evaluator,
}

impl<'f> World<'f> {
    pub fn new(functions: &'f dyn FunctionCatalog, evaluator: &'f dyn Evaluator) -> World<'f> {
        World { settings: Settings::default(), tables: BTreeMap::new(), functions, evaluator }
    }

    fn planner<'w>(&'w self, evaluator: &'w dyn Evaluator) -> Planner<'w> {
        Planner {
            catalog: self,
            functions: self.functions,
            connectors: &Connectors,
            evaluator,
            settings: &self.settings,
            current_database: arus_core::catalog::DEFAULT_DATABASE,
            options: PlannerOptions::default(),
        }
    }

    /// Runs a CREATE TABLE.
    pub fn create(&mut self, ddl: &str) -> Result<()> {
        match self.planner(self.evaluator).plan_text(ddl)?.planned {
            Planned::CreateTable { table, .. } => {
                self.tables.insert(table.path.clone(), CatalogObject::Table(Arc::new(table)));
                Ok(())
            }
            other => Err(Error::user(format!("expected CREATE TABLE, found {other:?}"))),
        }
    }

    /// The plan of a query or INSERT.
    pub fn plan(&self, sql: &str) -> Result<PhysicalPlan> {
        match self.planner(self.evaluator).plan_text(sql)?.planned {
            Planned::Select { plan, .. } | Planned::Insert { plan, .. } | Planned::InsertValues { plan, .. } => {
                Ok(plan)
            }
            other => Err(Error::user(format!("expected a query or INSERT, found {other:?}"))),
        }
    }

    /// The tree of a query before any pass, its constants not folded.
    pub fn bind(&self, sql: &str) -> Result<Rel> {
        self.planner(&FoldsNothing).bind_text(sql)
    }
}

/// Constants stay expressions, so that folding them is under test too.
struct FoldsNothing;

impl Evaluator for FoldsNothing {
    fn evaluate_constant(&self, _: &Expr) -> Result<Datum> {
        Err(Error::user("not folded"))
    }
}

impl Catalog for World<'_> {
    fn object(&self, path: &ObjectPath) -> Option<CatalogObject> {
        self.tables.get(path).cloned()
    }

    fn objects(&self, database: &str) -> Vec<CatalogObject> {
        self.tables.values().filter(|o| o.path().database == database).cloned().collect()
    }

    fn databases(&self) -> Vec<String> {
        vec![arus_core::catalog::DEFAULT_DATABASE.into()]
    }
}

struct Connectors;

/// A source and sink of everything.
struct TestConnector;

/// `rows` gives inserts, `changes` every row kind; a sink of `upserts` takes no -U.
struct TestFormat {
    name: &'static str,
    mode: ChangelogMode,
}

static FORMATS: [TestFormat; 3] = [
    TestFormat { name: "rows", mode: ChangelogMode::INSERT_ONLY },
    TestFormat { name: "changes", mode: ChangelogMode::ALL },
    TestFormat { name: "upserts", mode: ChangelogMode::UPSERT },
];

impl ConnectorCatalog for Connectors {
    fn connector(&self, name: &str) -> Option<&dyn Connector> {
        (name == "testkit").then_some(&TestConnector as &dyn Connector)
    }

    fn connector_names(&self) -> Vec<&'static str> {
        vec!["testkit"]
    }

    fn format(&self, name: &str) -> Option<&dyn Format> {
        FORMATS.iter().find(|f| f.name == name).map(|f| f as &dyn Format)
    }

    fn format_names(&self) -> Vec<&'static str> {
        FORMATS.iter().map(|f| f.name).collect()
    }
}

fn not_opened() -> Error {
    Error::bug("whoever runs a plan of the testkit brings its sources and sinks")
}

impl Connector for TestConnector {
    fn name(&self) -> &'static str {
        "testkit"
    }

    fn options(&self) -> &'static [OptionDef] {
        &[]
    }

    fn takes_format(&self) -> bool {
        true
    }

    fn is_source(&self) -> bool {
        true
    }

    fn is_sink(&self) -> bool {
        true
    }

    fn sink_mode(&self, table: &TableDef) -> ChangelogMode {
        let format = table.option("format").and_then(|name| FORMATS.iter().find(|f| f.name == name));
        format.map_or(ChangelogMode::ALL, |f| f.mode)
    }

    fn source(&self, _: &TableDef, _: &ConnectContext) -> Result<Arc<dyn Source>> {
        Err(not_opened())
    }

    fn sink(&self, _: &TableDef, _: &ConnectContext) -> Result<Box<dyn SinkWriter>> {
        Err(not_opened())
    }
}

impl Format for TestFormat {
    fn name(&self) -> &'static str {
        self.name
    }

    fn options(&self) -> &'static [OptionDef] {
        &[]
    }

    fn changelog_mode(&self) -> ChangelogMode {
        self.mode
    }

    fn decoder(&self, _: &TableDef, _: &RowSchema, _: &ConnectContext) -> Result<Box<dyn Decoder>> {
        Err(not_opened())
    }

    fn encoder(&self, _: &TableDef, _: &RowSchema, _: &ConnectContext) -> Result<Box<dyn Encoder>> {
        Err(not_opened())
    }
}
