//! ALTER MATERIALIZED TABLE: its pipeline is suspended, resumed, or starts over with another definition.

use std::sync::Arc;

use arus_core::catalog::{CatalogObject, ObjectPath, TableDef};
use arus_core::error::Code;
use arus_core::plan::{Op, PhysicalPlan};
use arus_core::{Error, Result};
use arus_sql::{MaterializedChange, Planned};
use arus_storage::manifest::{CatalogItem, Change};
use serde_json::json;

use crate::alter::{in_database_of, shape};
use crate::ddl::{MATERIALIZED, Origin, in_use, new_job_id};
use crate::domain::Control;
use crate::jobs::{Job, JobKind, JobStatus};
use crate::shared::Shared;

impl Shared {
    /// Does the change; what to know of it.
    pub(crate) async fn alter_materialized(
        self: &Arc<Self>,
        path: &ObjectPath,
        change: MaterializedChange,
        origin: Origin<'_>,
    ) -> Result<Vec<String>> {
        let _one = self.ddl.lock().await;
        let (job, item) = self.pipeline_of(path)?;
        match change {
            MaterializedChange::Suspend => self.suspend(&job, item).await.map(|()| vec![]),
            MaterializedChange::Resume => self.resume(&job, item).await.map(|()| vec![]),
            MaterializedChange::Rebuild => {
                let (def, plan) = self.planned_again(&job)?;
                let sql = job.spec.sql.clone();
                let origin = Origin { sql: &sql, settings: &job.spec.settings, undeclared: false };
                self.rebuild(&job, item, def, plan, origin).await.map(|notice| vec![notice])
            }
            MaterializedChange::Redefine { table, plan, sql } => {
                let settings = in_database_of(origin.settings, path);
                let origin = Origin { sql: &sql, settings: &settings, undeclared: false };
                self.redefine(&job, item, *table, plan, origin).await.map(|notice| vec![notice])
            }
        }
    }

    fn pipeline_of(&self, path: &ObjectPath) -> Result<(Arc<Job>, CatalogItem)> {
        let jobs = self.jobs.all();
        let job = jobs.iter().find(|j| j.spec.kind == JobKind::MaterializedTable && j.spec.targets.contains(path));
        let found = job.and_then(|job| Some((job.clone(), job.spec.item.clone()?)));
        found.ok_or_else(|| Error::bug(format!("materialized table '{path}' has no pipeline")))
    }

    /// What the statement of a pipeline gives today.
    fn planned_again(&self, job: &Job) -> Result<(TableDef, PhysicalPlan)> {
        let catalog = crate::catalog::Changed { base: &self.catalog, gone: job.spec.targets.clone(), new: None };
        match self.plan_over(&catalog, &job.spec.sql, &job.spec.settings, false)?.planned {
            Planned::CreateMaterializedTable { table, plan } => Ok((table, plan)),
            _ => Err(Error::bug(format!("the statement of '{}' makes no materialized table", job.spec.name))),
        }
    }

    async fn suspend(self: &Arc<Self>, job: &Arc<Job>, mut item: CatalogItem) -> Result<()> {
        match job.status() {
            JobStatus::Suspended => {
                return Err(Error::user(format!("materialized table '{}' is suspended already", item.path))
                    .with_code(Code::Conflict)
                    .with_hint("ALTER MATERIALIZED TABLE .. RESUME goes on"));
            }
            JobStatus::Finished => {
                return Err(Error::user(format!("materialized table '{}' has read all of its input", item.path))
                    .with_code(Code::Conflict));
            }
            _ => {}
        }
        item.extra["suspended"] = json!(true);
        let changes = vec![Change::Put(item)];
        self.ask(|reply| Control::Suspend { job: job.clone(), changes, reply }).await
    }

    async fn resume(self: &Arc<Self>, job: &Arc<Job>, item: CatalogItem) -> Result<()> {
        if job.status() != JobStatus::Suspended {
            return Err(Error::user(format!("materialized table '{}' is not suspended", item.path))
                .with_code(Code::Conflict)
                .with_hint("ALTER MATERIALIZED TABLE .. SUSPEND stops it for a while"));
        }
        // What it reads may have changed while it stood still.
        let (_, plan) = self.planned_again(job)?;
        let again = self.spec_of_item(&item, job.spec.kind, job.spec.name.clone(), plan, vec![]);
        if shape(&again.plan) != shape(&job.spec.plan) {
            return Err(Error::user(format!(
                "materialized table '{}' cannot go on from its state: what it reads has changed",
                item.path
            ))
            .with_code(Code::Conflict)
            .with_hint("ALTER MATERIALIZED TABLE .. REBUILD starts it over"));
        }
        let id = item.id;
        let changes = vec![Change::Put(item)];
        self.ask(|reply| Control::Resume { id, job: job.clone(), changes, reply }).await
    }

    /// Another query or other options: the pipeline keeps all or starts over.
    async fn redefine(
        self: &Arc<Self>,
        job: &Arc<Job>,
        item: CatalogItem,
        def: TableDef,
        plan: PhysicalPlan,
        origin: Origin<'_>,
    ) -> Result<String> {
        let table = self.tables.require(&def.path)?;
        let mut new_item = self.table_item(item.id, MATERIALIZED, &def, &origin);
        (new_item.topic, new_item.partitions) = (item.topic, item.partitions);
        for key in ["job", "started_ms", "suspended", "finished"] {
            if let Some(value) = item.extra.get(key) {
                new_item.extra[key] = value.clone();
            }
        }
        let targets = job.spec.targets.clone();
        let spec = self.spec_of_item(&new_item, job.spec.kind, job.spec.name.clone(), plan.clone(), targets);
        let same_table = table.def.kind == def.kind
            && table.def.physical_schema() == def.physical_schema()
            && table.def.primary_key == def.primary_key;
        if shape(&spec.plan) != shape(&job.spec.plan) || !same_table || job.status() != JobStatus::Running {
            return self.rebuild(job, item, def, plan, origin).await;
        }
        self.ask(|reply| Control::Suspend { job: job.clone(), changes: vec![], reply }).await?;
        let new = Job::new(spec);
        let def = Arc::new(def);
        self.jobs.put(new.clone());
        self.tables.put(table.with_definition(def.clone(), None));
        self.catalog.put(CatalogObject::Table(def));
        let (id, changes) = (new_item.id, vec![Change::Put(new_item)]);
        self.ask(|reply| Control::Resume { id, job: new, changes, reply }).await?;
        Ok("kept: the table and the state of its query, which goes on where it was".into())
    }

    /// The table is empty, and its query reads its sources from their beginning.
    async fn rebuild(
        self: &Arc<Self>,
        job: &Arc<Job>,
        item: CatalogItem,
        def: TableDef,
        plan: PhysicalPlan,
        origin: Origin<'_>,
    ) -> Result<String> {
        let path = def.path.clone();
        if let Some(reader) = self.jobs.readers(&path).first() {
            return Err(in_use(&path, "read", &reader.spec.name));
        }
        let notice = rebuilt(&path, &job.spec.plan, &plan);
        let old_table = self.tables.require(&path)?;
        if job.status() == JobStatus::Running {
            // Were the server to end before the new one is there, the old one would start over.
            let mut over = item.clone();
            over.extra["rebuild"] = json!(true);
            let changes = vec![Change::Put(over)];
            self.ask(|reply| Control::Suspend { job: job.clone(), changes, reply }).await?;
        }
        let id = self.new_id();
        let mut new_item = self.table_item(id, MATERIALIZED, &def, &origin);
        new_item.extra["job"] = json!(new_job_id(self.config.clock.now_ms()));
        new_item.extra["started_ms"] = json!(self.config.clock.now_ms());
        self.install_table(id, Arc::new(def), None)?;
        let name = job.spec.name.clone();
        let spec = self.spec_of_item(&new_item, JobKind::MaterializedTable, name, plan, vec![path.clone()]);
        let changes = vec![Change::Delete { id: item.id }, Change::Put(new_item)];
        if let Err(e) = self.start(id, spec, changes).await {
            self.item_ids.lock().expect("no holder of this lock panics").remove(&id);
            self.tables.put(old_table.clone());
            self.catalog.put(CatalogObject::Table(old_table.def.clone()));
            let (id, changes) = (item.id, vec![Change::Put(item)]);
            self.ask(|reply| Control::Resume { id, job: job.clone(), changes, reply }).await?;
            return Err(e);
        }
        self.ask(|reply| Control::Stop { job: job.clone(), changes: vec![], reply }).await?;
        self.jobs.remove(&job.spec.id);
        self.item_ids.lock().expect("no holder of this lock panics").remove(&old_table.id);
        if let Some(topic) = old_table.topic().or(old_table.inbox())
            && let Err(e) = self.log.drop_topic(topic.id())
        {
            tracing::warn!("the old files of table '{path}' stay until the next start: {e}");
        }
        Ok(notice)
    }
}

/// Whether an operator of this kind remembers rows or values.
pub(crate) fn keeps_state(op: &Op) -> bool {
    !matches!(op, Op::Scan(_) | Op::Calc(_) | Op::Exchange(_) | Op::Values(_) | Op::Sink(_) | Op::Union)
}

/// What a rebuild does, in one sentence.
fn rebuilt(path: &ObjectPath, old: &PhysicalPlan, new: &PhysicalPlan) -> String {
    let stateful = |plan: &PhysicalPlan| -> Vec<&'static str> {
        plan.nodes.iter().filter(|n| keeps_state(&n.op)).map(|n| n.op.name()).collect()
    };
    let sources: Vec<String> = new.scans().map(|(_, scan)| format!("'{}'", scan.table.path)).collect();
    let (gone, made) = (stateful(old), stateful(new));
    let state = match (gone.is_empty(), made.is_empty()) {
        (true, true) => "it keeps no state".to_string(),
        (false, true) => format!("the state of {} goes", gone.join(", ")),
        _ => format!("the state of {} is built anew", made.join(", ")),
    };
    format!("rebuilt: table '{path}' is read anew from the start of {}; {state}; kept: nothing", sources.join(", "))
}
