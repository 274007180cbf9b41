//! The statements of a project, planned over the catalog as it will be.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use arus_core::catalog::{
    Catalog, CatalogDef, CatalogObject, DatabaseDef, ObjectPath, PartitionSpec, TableDef, ViewDef,
};
use arus_core::error::Code;
use arus_core::plan::PhysicalPlan;
use arus_core::project::ApplyRequest;
use arus_core::settings::{CATALOG, DATABASE, PIPELINE_NAME, Settings};
use arus_core::{Error, Result};
use arus_sql::ast::{ObjectName, StatementKind};
use arus_sql::parser::{parse_statement, split_script};
use arus_sql::{AlertDef, Planned};

use super::record::Record;
use crate::catalog::ServerCatalog;
use crate::script::shifted;
use crate::shared::Shared;

/// One thing that the project wants to be there.
pub(super) struct Item {
    pub(super) file: String,
    pub(super) line: u32,
    /// What makes it.
    pub(super) sql: String,
    pub(super) settings: Settings,
    pub(super) what: What,
}

pub(super) enum What {
    Database(DatabaseDef),
    Table(Arc<TableDef>),
    View(Arc<ViewDef>),
    Materialized {
        def: Arc<TableDef>,
        plan: PhysicalPlan,
    },
    Job {
        name: String,
        plan: PhysicalPlan,
        targets: Vec<ObjectPath>,
    },
    Alert {
        def: Box<AlertDef>,
        plan: PhysicalPlan,
    },
    /// Rows that are put once.
    Rows {
        table: ObjectPath,
        hash: u64,
    },
}

impl Item {
    /// The table or view that it is.
    pub(super) fn object(&self) -> Option<&ObjectPath> {
        match &self.what {
            What::Table(def) | What::Materialized { def, .. } => Some(&def.path),
            What::View(view) => Some(&view.path),
            What::Database(_) | What::Job { .. } | What::Alert { .. } | What::Rows { .. } => None,
        }
    }

    /// The name of the alert that it is: alerts are no tables, and their names are apart.
    pub(super) fn alert(&self) -> Option<&ObjectPath> {
        match &self.what {
            What::Alert { def, .. } => Some(&def.path),
            _ => None,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match &self.what {
            What::Database(_) => "database",
            What::Table(_) => "table",
            What::View(_) => "view",
            What::Materialized { .. } => "materialized table",
            What::Job { .. } => "pipeline",
            What::Alert { .. } => "alert",
            What::Rows { .. } => "rows",
        }
    }

    pub(super) fn name(&self) -> String {
        match &self.what {
            What::Database(def) => def.name.clone(),
            What::Table(def) | What::Materialized { def, .. } => def.path.to_string(),
            What::View(view) => view.path.to_string(),
            What::Job { name, .. } => name.clone(),
            What::Alert { def, .. } => def.path.to_string(),
            What::Rows { table, .. } => table.to_string(),
        }
    }

    /// Of a pipeline: its plan and the tables that it writes.
    pub(super) fn pipeline(&self) -> Option<(&PhysicalPlan, Vec<ObjectPath>)> {
        match &self.what {
            What::Materialized { def, plan } => Some((plan, vec![def.path.clone()])),
            What::Job { plan, targets, .. } => Some((plan, targets.clone())),
            What::Alert { plan, .. } => Some((plan, vec![])),
            _ => None,
        }
    }
}

/// Everything that the files want, in their order.
pub(super) fn read(shared: &Arc<Shared>, request: &ApplyRequest, record: &Record) -> Result<Vec<Item>> {
    let catalog = CatalogToBe {
        base: &shared.catalog,
        own: ServerCatalog::of_server(),
        hidden: Mutex::new(record.objects.iter().cloned().collect()),
    };
    let mut items = vec![];
    for file in &request.files {
        let mut settings = Settings::default();
        for span in split_script(&file.text) {
            let (sql, start) = (span.of(&file.text), span.start as usize);
            if is_blank(sql) {
                continue;
            }
            let placed = |e: Error| shifted(e, &file.text, start).in_context(&file.name);
            if let Some(path) = made(sql, &settings) {
                catalog.hide(path);
            }
            let planned = shared.plan_over(&catalog, sql, &settings, false).map_err(placed)?.planned;
            let line = file.text[..start].matches('\n').count() as u32 + 1;
            let item = |what: What, sql: &str| Item {
                file: file.name.clone(),
                line,
                sql: sql.into(),
                settings: settings.clone(),
                what,
            };
            let refused = || {
                let word: String = sql.chars().take_while(|c| !c.is_whitespace()).collect();
                Error::user(format!("{}, line {line}: {word} .. is no part of a project", file.name))
                    .with_code(Code::NotSupported)
                    .with_hint("a project says what is to be there: change or remove its CREATE and INSERT statements")
            };
            match planned {
                Planned::Set { key, value } => settings.set(key, value),
                Planned::Reset { key: Some(key) } => settings.reset(&key),
                Planned::Reset { key: None } => settings.reset_all(),
                Planned::UseDatabase { catalog, name } => {
                    settings.set(CATALOG, catalog);
                    settings.set(DATABASE, name);
                }
                Planned::Nothing => {}
                Planned::PutDatabase(def) => {
                    catalog.own.put_database(def.clone());
                    items.push(item(What::Database(def), sql));
                }
                Planned::CreateTable { table, sql: whole, .. } => {
                    if catalog.own.has(&table.path) {
                        continue;
                    }
                    let table = Arc::new(table);
                    catalog.own.put(CatalogObject::Table(table.clone()));
                    items.push(item(What::Table(table), whole.as_deref().unwrap_or(sql)));
                }
                Planned::CreateTableAs { table, sql: made, insert, plan, .. } => {
                    let table = Arc::new(table);
                    let targets = vec![table.path.clone()];
                    catalog.own.put(CatalogObject::Table(table.clone()));
                    items.push(item(What::Table(table), &made));
                    let name = job_name(&settings, &targets);
                    items.push(item(What::Job { name, plan, targets }, &insert));
                }
                Planned::CreateView { view, .. } => {
                    let view = Arc::new(view);
                    catalog.own.put(CatalogObject::View(view.clone()));
                    items.push(item(What::View(view), sql));
                }
                Planned::CreateMaterializedTable { table, plan } => {
                    let def = Arc::new(table);
                    catalog.own.put(CatalogObject::Table(def.clone()));
                    items.push(item(What::Materialized { def, plan }, sql));
                }
                Planned::Insert { plan, target } => {
                    let targets = vec![target];
                    let name = job_name(&settings, &targets);
                    items.push(item(What::Job { name, plan, targets }, sql));
                }
                Planned::StatementSet { plan, targets } => {
                    let name = job_name(&settings, &targets);
                    items.push(item(What::Job { name, plan, targets }, sql));
                }
                Planned::CreateAlert { def, plan, .. } => {
                    if items.iter().any(|item: &Item| item.alert() == Some(&def.path)) {
                        return Err(Error::user(format!(
                            "{}, line {line}: alert '{}' stands twice",
                            file.name, def.path
                        ))
                        .with_code(Code::DuplicateObject));
                    }
                    shared.check_notifiers(&def).map_err(|e| e.in_context(format!("{}, line {line}", file.name)))?;
                    items.push(item(What::Alert { def, plan }, sql));
                }
                Planned::InsertValues { table, rows, .. } => {
                    let hash = xxhash_rust::xxh3::xxh3_64(format!("{} {rows:?}", table.path).as_bytes());
                    items.push(item(What::Rows { table: table.path.clone(), hash }, sql));
                }
                _ => return Err(refused()),
            }
        }
    }
    Ok(items)
}

fn is_blank(sql: &str) -> bool {
    sql.lines().all(|line| line.trim().is_empty() || line.trim().starts_with("--"))
}

fn job_name(settings: &Settings, targets: &[ObjectPath]) -> String {
    match settings.get(PIPELINE_NAME) {
        "" => format!("insert-into_{}", targets.iter().map(ObjectPath::full).collect::<Vec<_>>().join(",")),
        name => name.to_string(),
    }
}

/// The place of what a CREATE statement makes.
fn made(sql: &str, settings: &Settings) -> Option<ObjectPath> {
    let path = |name: &ObjectName| {
        let part = |i: usize| name.parts.get(i).map(|p| p.value.clone());
        match name.parts.len() {
            1 => Some(ObjectPath::in_catalog(settings.get(CATALOG), settings.get(DATABASE), part(0)?)),
            2 => Some(ObjectPath::in_catalog(settings.get(CATALOG), part(0)?, part(1)?)),
            3 => Some(ObjectPath::in_catalog(part(0)?, part(1)?, part(2)?)),
            _ => None,
        }
    };
    match parse_statement(sql).ok()?.kind {
        StatementKind::CreateTable(c) => path(&c.name),
        StatementKind::CreateView(c) => path(&c.name),
        StatementKind::CreateMaterializedTable(c) => path(&c.name),
        _ => None,
    }
}

/// The catalog as it will be: what others have made, and the project's objects as far as they were read.
struct CatalogToBe<'a> {
    base: &'a ServerCatalog,
    own: ServerCatalog,
    /// What was there and is the project's own.
    hidden: Mutex<BTreeSet<ObjectPath>>,
}

impl CatalogToBe<'_> {
    fn hide(&self, path: ObjectPath) {
        self.hidden.lock().expect("no holder of this lock panics").insert(path);
    }

    fn is_hidden(&self, path: &ObjectPath) -> bool {
        self.hidden.lock().expect("no holder of this lock panics").contains(path)
    }
}

impl Catalog for CatalogToBe<'_> {
    fn object(&self, path: &ObjectPath) -> Option<CatalogObject> {
        self.own.object(path).or_else(|| self.base.object(path).filter(|_| !self.is_hidden(path)))
    }

    fn objects(&self, database: &str) -> Vec<CatalogObject> {
        let mut objects = self.base.objects(database);
        objects.retain(|o| !self.is_hidden(o.path()));
        objects.extend(self.own.objects(database));
        objects
    }

    fn databases(&self) -> Vec<String> {
        let mut names = self.base.databases();
        names.extend(self.own.databases());
        names.dedup();
        names
    }

    fn catalogs(&self) -> Vec<CatalogDef> {
        self.base.catalogs()
    }

    fn database(&self, catalog: &str, name: &str) -> Option<DatabaseDef> {
        self.base.database(catalog, name).or_else(|| self.own.database(catalog, name))
    }

    fn databases_in(&self, catalog: &str) -> Vec<String> {
        let mut names = self.base.databases_in(catalog);
        names.extend(self.own.databases_in(catalog).into_iter().filter(|n| self.base.database(catalog, n).is_none()));
        names
    }

    fn partitions(&self, table: &ObjectPath) -> Vec<PartitionSpec> {
        self.base.partitions(table)
    }
}
