//! ALTER TABLE and ALTER VIEW, databases, catalogs.
//!
//! A definition changes at a checkpoint whose record holds the new statement. Nothing that runs changes with it: a pipeline
//! whose plan would be another one over the new definition is named, and the change refused, since its state would not fit.

use std::sync::Arc;

use arus_core::catalog::{
    Catalog, CatalogDef, CatalogObject, ColumnKind, DEFAULT_CATALOG, DatabaseDef, ObjectPath, PartitionSpec, TableDef,
    TableKind, ViewDef,
};
use arus_core::error::Code;
use arus_core::plan::{Op, PhysicalPlan, SinkTarget};
use arus_core::settings::{CATALOG, DATABASE, Settings};
use arus_core::{Error, Result};
use arus_sql::Planned;
use arus_sql::ast::ObjectKind;
use arus_storage::manifest::{CatalogItem, Change};
use arus_storage::table::KeyedTable;
use serde_json::{Value, json};

use crate::catalog::Changed;
use crate::config::Mode;
use crate::ddl::{DATABASE_ITEM, Origin, VIEW, in_use, keyed_table, partitions};
use crate::domain::Control;
use crate::jobs::{Job, JobKind};
use crate::shared::Shared;
use crate::tables::{Store, Table};

impl Shared {
    /// Gives the table at `old` the definition `def`, which may have another name.
    pub(crate) async fn alter_table(
        self: &Arc<Self>,
        old: ObjectPath,
        def: TableDef,
        sql: &str,
        origin: Origin<'_>,
    ) -> Result<()> {
        let _one = self.ddl.lock().await;
        let table = self.tables.require(&old)?;
        self.refuse_outside(&def)?;
        if def.path != old {
            self.refuse_used(&old)?;
        }
        check_storage(&table, &def)?;
        let def = Arc::new(def);
        self.refuse_changed_plans(&old, &CatalogObject::Table(def.clone()), |job| {
            job.spec.sources.contains(&old) || job.spec.targets.contains(&old)
        })?;
        let relaid = |rows: &KeyedTable| *rows.schema() != def.physical_schema() || rows.key() != def.primary_key;
        let relaid = table.keyed().is_some_and(|rows| relaid(rows));
        if relaid && let Some(reader) = self.jobs.readers(&old).first() {
            return Err(in_use(&old, "read", &reader.spec.name));
        }
        let settings = in_database_of(origin.settings, &def.path);
        let item =
            self.table_item(table.id, crate::ddl::TABLE, &def, &Origin { sql, settings: &settings, undeclared: false });
        let item = CatalogItem { topic: item.topic.and(self.topic_of(&table)), ..item };
        let changes = vec![Change::Put(item)];
        self.ask(|reply| Control::Catalog { changes, reply }).await?;
        let keyed = relaid.then(|| Arc::new(keyed_table(&def)));
        self.tables.remove(&old);
        self.catalog.remove(&old);
        self.tables.put(table.with_definition(def.clone(), keyed));
        self.item_ids.lock().expect("no holder of this lock panics").insert(table.id, def.path.clone());
        self.catalog.put(CatalogObject::Table(def));
        self.wake();
        Ok(())
    }

    fn topic_of(&self, table: &Table) -> Option<u64> {
        table.topic().or(table.inbox()).map(|topic| topic.id())
    }

    pub(crate) async fn alter_view(
        self: &Arc<Self>,
        old: ObjectPath,
        view: ViewDef,
        sql: &str,
        origin: Origin<'_>,
    ) -> Result<()> {
        let _one = self.ddl.lock().await;
        let view = Arc::new(view);
        self.refuse_changed_plans(&old, &CatalogObject::View(view.clone()), |_| true)?;
        let settings = in_database_of(origin.settings, &view.path);
        let id = self.items_of(&old).into_iter().next().unwrap_or_else(|| self.new_id());
        let changes = vec![Change::Put(view_item(id, &view, sql, &settings))];
        self.ask(|reply| Control::Catalog { changes, reply }).await?;
        self.item_ids.lock().expect("no holder of this lock panics").insert(id, view.path.clone());
        self.catalog.remove(&old);
        self.catalog.put(CatalogObject::View(view));
        Ok(())
    }

    /// A table that anything reads or writes keeps its name.
    fn refuse_used(&self, path: &ObjectPath) -> Result<()> {
        if self.config.mode == Mode::Run {
            return Ok(());
        }
        if let Some(reader) = self.jobs.readers(path).first() {
            return Err(in_use(path, "read", &reader.spec.name));
        }
        if let Some(writer) = self.jobs.writers(path).first() {
            return Err(in_use(path, "written", &writer.spec.name));
        }
        Ok(())
    }

    /// Names the pipelines whose plan would be another one if `new` stood where `old` is.
    pub(crate) fn refuse_changed_plans(
        &self,
        old: &ObjectPath,
        new: &CatalogObject,
        concerned: impl Fn(&Job) -> bool,
    ) -> Result<()> {
        let changed = self.changed_plans(old, Some(new.clone()), concerned);
        if changed.is_empty() {
            return Ok(());
        }
        Err(Error::user(format!("'{old}' cannot change, pipelines would have to be rebuilt: {}", changed.join(", ")))
            .with_code(Code::Conflict)
            .with_hint("stop them first: STOP JOB, or DROP MATERIALIZED TABLE"))
    }

    /// Pipelines whose statement gives another plan, or none, once the object at `old` is `new`.
    pub(crate) fn changed_plans(
        &self,
        old: &ObjectPath,
        new: Option<CatalogObject>,
        concerned: impl Fn(&Job) -> bool,
    ) -> Vec<String> {
        if self.config.mode == Mode::Run {
            // A job of a session is not planned again.
            return vec![];
        }
        let all = self.jobs.all();
        let jobs = all.iter().filter(|j| j.is_in_catalog() && j.spec.kind != JobKind::ClientWriter && concerned(j));
        let same = |job: &&Arc<Job>| {
            let Some(item) = &job.spec.item else { return true };
            let mut gone = vec![old.clone()];
            if job.spec.kind == JobKind::MaterializedTable {
                gone.extend(job.spec.targets.iter().cloned());
            }
            let catalog = Changed { base: &self.catalog, gone, new: new.clone() };
            let Ok(planned) = self.plan_over(&catalog, &job.spec.sql, &job.spec.settings, false) else { return false };
            let plan = match planned.planned {
                Planned::Insert { plan, .. }
                | Planned::InsertValues { plan, .. }
                | Planned::StatementSet { plan, .. }
                | Planned::CreateAlert { plan, .. }
                | Planned::CreateMaterializedTable { plan, .. } => plan,
                _ => return false,
            };
            let again = self.spec_of_item(item, job.spec.kind, job.spec.name.clone(), plan, vec![]);
            shape(&again.plan) == shape(&job.spec.plan)
        };
        jobs.filter(|job| !same(job)).map(|job| format!("'{}'", job.spec.name)).collect()
    }

    /// Partitions that a statement names.
    pub(crate) fn alter_partitions(&self, table: &ObjectPath, add: bool, partitions: Vec<PartitionSpec>) -> Result<()> {
        if self.config.mode == Mode::Server {
            return Err(Error::not_supported("partitions that are named on a server")
                .with_hint("a file system's partitions are found by its folders"));
        }
        self.catalog.change_partitions(table, add, partitions);
        Ok(())
    }

    // ---- databases and catalogs

    pub(crate) async fn put_database(self: &Arc<Self>, def: DatabaseDef) -> Result<()> {
        let _one = self.ddl.lock().await;
        if def.catalog == DEFAULT_CATALOG && self.config.mode == Mode::Server {
            let place = database_path(&def.name);
            let id = self.items_of(&place).into_iter().next().unwrap_or_else(|| self.new_id());
            let item = CatalogItem {
                id,
                kind: DATABASE_ITEM.into(),
                path: place.clone(),
                sql: String::new(),
                topic: None,
                partitions: None,
                extra: json!({"database": def}),
            };
            let changes = vec![Change::Put(item)];
            self.ask(|reply| Control::Catalog { changes, reply }).await?;
            self.item_ids.lock().expect("no holder of this lock panics").insert(id, place);
        }
        self.catalog.put_database(def);
        Ok(())
    }

    /// The objects in it go first, those that read others before them.
    pub(crate) async fn drop_database(
        self: &Arc<Self>,
        catalog: &str,
        name: &str,
        objects: &[ObjectPath],
    ) -> Result<()> {
        for job in self.jobs.all().iter().filter(|j| j.is_in_catalog() && self.config.mode == Mode::Server) {
            let own = job.spec.targets.iter().all(|t| objects.contains(t)) && job.spec.kind != JobKind::Insert;
            let touches = job.spec.sources.iter().chain(&job.spec.targets).find(|p| objects.contains(p));
            if let Some(path) = touches.filter(|_| !own) {
                return Err(in_use(path, "used", &job.spec.name));
            }
        }
        let kind_of = |path: &ObjectPath| match self.catalog.permanent(path) {
            Some(CatalogObject::View(_)) => ObjectKind::View,
            Some(CatalogObject::Table(t)) if t.query.is_some() => ObjectKind::MaterializedTable,
            _ => ObjectKind::Table,
        };
        let mut left: Vec<(ObjectKind, &ObjectPath)> = objects.iter().map(|p| (kind_of(p), p)).collect();
        // Of materialized tables that read each other the last one goes first: each round drops what nothing reads.
        while !left.is_empty() {
            let before = left.len();
            let mut last = None;
            let mut kept = vec![];
            for (kind, path) in left {
                match self.drop_object(kind, path).await {
                    Ok(()) => {}
                    Err(e) => {
                        last = Some(e);
                        kept.push((kind, path));
                    }
                }
            }
            left = kept;
            if let Some(error) = last.filter(|_| left.len() == before) {
                return Err(error);
            }
        }
        let _one = self.ddl.lock().await;
        let items = self.items_of(&database_path(name));
        if catalog == DEFAULT_CATALOG && !items.is_empty() {
            let changes = items.into_iter().map(|id| Change::Delete { id }).collect();
            self.ask(|reply| Control::Catalog { changes, reply }).await?;
        }
        self.catalog.remove_database(catalog, name);
        Ok(())
    }

    pub(crate) fn put_catalog(&self, def: CatalogDef) -> Result<()> {
        if self.config.mode == Mode::Server && def.name != DEFAULT_CATALOG {
            return Err(Error::not_supported(format!("catalog '{}' on a server", def.name)).with_hint(
                "a server has one catalog, and databases in it: CREATE DATABASE; `arus run` has catalogs in memory",
            ));
        }
        self.catalog.put_catalog(def);
        Ok(())
    }

    pub(crate) fn drop_catalog(&self, name: &str) {
        for table in self.tables.all().iter().filter(|t| t.def.path.catalog == name) {
            self.uninstall_table(table);
        }
        self.catalog.remove_catalog(name);
    }
}

/// The place of a database's own item.
pub(crate) fn database_path(name: &str) -> ObjectPath {
    ObjectPath::new(name, "")
}

/// The settings with which a text that was made for this object's own database is planned again.
pub(crate) fn in_database_of(settings: &Settings, path: &ObjectPath) -> Settings {
    let mut settings = settings.clone();
    settings.set(CATALOG, path.catalog.clone());
    settings.set(DATABASE, path.database.clone());
    settings
}

pub(crate) fn view_item(id: u64, view: &ViewDef, sql: &str, settings: &Settings) -> CatalogItem {
    CatalogItem {
        id,
        kind: VIEW.into(),
        path: view.path.clone(),
        sql: sql.into(),
        topic: None,
        partitions: None,
        // Were a table of its query gone, the view would still be known.
        extra: json!({"settings": settings, "view": view}),
    }
}

/// Whether anything was ever written to it.
pub(crate) fn has_rows(table: &Table) -> bool {
    match &table.store {
        Store::Keyed { table: rows, inbox } => !rows.snapshot().is_empty() || inbox.ends().iter().any(|end| *end > 0),
        _ => table.topic().is_some_and(|topic| topic.ends().iter().any(|end| *end > 0)),
    }
}

/// What is stored of the table still fits the new definition.
pub(crate) fn check_storage(table: &Table, def: &TableDef) -> Result<()> {
    let old = &table.def;
    let path = &old.path;
    let refuse = |what: String, hint: &str| {
        Err(Error::user(format!("table '{path}': {what}")).with_code(Code::Conflict).with_hint(hint))
    };
    if def.kind != old.kind {
        let name = |kind: TableKind| match kind {
            TableKind::Topic => "a topic",
            TableKind::Keyed => "a keyed table",
            TableKind::Connector => "a table of a connector",
            TableKind::System => "a system table",
        };
        let what = format!("it is {}, the change would make it {}", name(old.kind), name(def.kind));
        return refuse(what, "create another table and INSERT INTO it");
    }
    if old.kind == TableKind::Connector {
        return Ok(());
    }
    if partitions(old) != partitions(def) {
        return refuse("the number of its partitions is fixed".into(), "create another table and INSERT INTO it");
    }
    if !has_rows(table) {
        return Ok(());
    }
    if old.option("format").unwrap_or("json") != def.option("format").unwrap_or("json") {
        return refuse("its rows are stored in another format".into(), "create another table and INSERT INTO it");
    }
    let layout_changes = old.physical_schema() != def.physical_schema() || old.primary_key != def.primary_key;
    if old.kind == TableKind::Keyed && layout_changes {
        return refuse(
            "it has rows, which are stored with the columns that they have".into(),
            "create another table with the new columns and INSERT INTO it",
        );
    }
    for column in def.columns.iter().filter(|c| matches!(c.kind, ColumnKind::Physical)) {
        let before = old.columns.iter().find(|c| c.name == column.name && matches!(c.kind, ColumnKind::Physical));
        match before {
            None if !column.ty.nullable => {
                return refuse(
                    format!("column '{}' is NOT NULL, and the rows that are there have none", column.name),
                    "leave NOT NULL out",
                );
            }
            Some(b) if b.ty.nullable && !column.ty.nullable => {
                return refuse(
                    format!("column '{}' may be NULL in the rows that are there", column.name),
                    "leave NOT NULL out",
                );
            }
            Some(b) if !arus_sql::holds_values_of(&b.ty, &column.ty) => {
                return refuse(
                    format!(
                        "column '{}' holds values of {}, which {} does not take",
                        column.name, b.ty.kind, column.ty.kind
                    ),
                    "add a computed column with a CAST",
                );
            }
            _ => {}
        }
    }
    Ok(())
}

/// A plan without the definitions of its tables: what makes its state.
pub(crate) fn shape(plan: &PhysicalPlan) -> Value {
    let named = |table: &TableDef, columns: &[usize]| -> Vec<(String, String)> {
        columns.iter().map(|i| (table.columns[*i].name.clone(), table.columns[*i].ty.to_string())).collect()
    };
    let nodes = plan.nodes.iter().map(|node| {
        let op = match &node.op {
            Op::Scan(scan) => json!({
                "scan": scan.table.path,
                "read": named(&scan.table, &scan.read),
                "output": scan.output,
                "watermark": scan.watermark,
                // How long rows are kept is no matter of the rows that are read.
                "options": scan.table.options.iter().filter(|(name, _)| !name.starts_with("retention.")).collect::<Vec<_>>(),
            }),
            Op::Sink(sink) => match &sink.target {
                SinkTarget::Table(table) => {
                    json!({"sink": table.path, "columns": named(table, &table.sink_columns())})
                }
                SinkTarget::Collect => json!("collect"),
            },
            other => json!(other),
        };
        json!({"uid": node.uid, "inputs": node.inputs, "op": op})
    });
    Value::Array(nodes.collect())
}
