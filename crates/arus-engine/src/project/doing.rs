//! A plan is done: what has to go first, then everything in the order of the files. A step that fails takes back those before it.

use std::collections::BTreeSet;
use std::sync::Arc;

use arus_core::catalog::{Catalog, CatalogObject, ObjectPath, TableDef, ViewDef};
use arus_core::platform::{Door, Session, StatementOutput};
use arus_core::project::ApplyRequest;
use arus_core::settings::Settings;
use arus_core::{Error, Result};
use arus_sql::ast::ObjectKind;
use arus_sql::{MaterializedChange, Planned};

use super::difference::{Action, Decision, Gone, Plan, print};
use super::record::{JobRecord, Record};
use super::wanted::{Item, What};
use crate::alerts::{Alert, IfThere};
use crate::ddl::{Origin, settings_of};
use crate::domain::Control;
use crate::engine::Engine;
use crate::jobs::{Job, JobKind};
use crate::session::EngineSession;

/// What takes back a step.
enum Undo {
    Drop(ObjectKind, ObjectPath),
    Stop(String),
    DropAlert(ObjectPath),
    /// As it was; what it knew is gone but for its silence.
    Alert {
        path: ObjectPath,
        sql: String,
        settings: Settings,
        silenced_until_ms: Option<i64>,
    },
    /// Makes again what was dropped; its rows are computed anew.
    Run {
        sql: String,
        settings: Settings,
    },
    Table {
        now: ObjectPath,
        def: Arc<TableDef>,
        sql: String,
    },
    View(Arc<ViewDef>),
    Materialized {
        sql: String,
        settings: Settings,
    },
}

pub(super) struct Doing {
    engine: Arc<Engine>,
    record: Record,
    undo: Vec<Undo>,
}

impl Doing {
    pub(super) fn new(engine: Arc<Engine>, record: Record) -> Self {
        Doing { engine, record, undo: vec![] }
    }

    pub(super) async fn all(mut self, plan: &Plan, items: &[Item], request: &ApplyRequest) -> Result<()> {
        let Err(error) = self.steps(plan, items, request).await else { return self.settle_rights(plan, items).await };
        let mut left = vec![];
        for undo in std::mem::take(&mut self.undo).into_iter().rev() {
            if let Err(e) = self.take_back(undo).await {
                left.push(e.to_string());
            }
        }
        if left.is_empty() {
            return Err(error.in_context("nothing has changed"));
        }
        Err(error.in_context(format!("not all could be taken back ({})", left.join("; "))))
    }

    /// Rights go with their table, and along with its name. What was made anew under its name keeps them.
    async fn settle_rights(&self, plan: &Plan, items: &[Item]) -> Result<()> {
        let renamed = |(item, decision): (&Item, &Decision)| match (&item.what, &decision.action) {
            (What::Table(def), Action::Rename(old)) => Some((old.clone(), def.path.clone())),
            _ => None,
        };
        let renamed: Vec<_> = items.iter().zip(&plan.decisions).filter_map(renamed).collect();
        let shared = self.engine.shared.clone();
        self.engine
            .shared
            .change_access(move |directory| {
                for (old, new) in &renamed {
                    directory.rename(old, new);
                }
                directory.keep_grants(|path| shared.is_there(path));
                Ok(())
            })
            .await
    }

    async fn steps(&mut self, plan: &Plan, items: &[Item], request: &ApplyRequest) -> Result<()> {
        let remade = plan.decisions.iter().any(|d| matches!(d.action, Action::Remake | Action::Rename(_)));
        // What is only in the way goes first; else what may fail does.
        let drops_first = remade || plan.changes_definitions(items);
        self.stop_and_drop(plan, items, drops_first).await?;
        let mut jobs = vec![];
        for (item, decision) in items.iter().zip(&plan.decisions) {
            // Nobody reads an alert: it changes when all else has gone well.
            if item.alert().is_some() {
                continue;
            }
            let done = self.one(item, &decision.action).await;
            let started = done.map_err(|e| e.in_context(format!("{}, line {}", item.file, item.line)))?;
            if let What::Job { plan, targets, .. } = &item.what {
                let print = print(plan);
                let kept = decision.job.as_ref().filter(|_| decision.action == Action::Keep).map(|j| j.spec.id.clone());
                let ended = || self.record.jobs.iter().find(|r| r.print == print && r.targets == *targets);
                let id = started.or(kept).or_else(|| ended().map(|r| r.id.clone()));
                jobs.extend(id.map(|id| JobRecord { id, targets: targets.clone(), print }));
            }
        }
        if !drops_first {
            self.drop_gone(plan, true).await?;
        }
        for (item, decision) in items.iter().zip(&plan.decisions) {
            if decision.action == Action::Insert {
                self.run(&item.sql, &item.settings).await?;
            }
        }
        for (item, decision) in items.iter().zip(&plan.decisions).filter(|(item, _)| item.alert().is_some()) {
            let done = self.alert(item, &decision.action).await;
            done.map_err(|e| e.in_context(format!("{}, line {}", item.file, item.line)))?;
        }
        self.remember(items, jobs, request).await
    }

    /// Pipelines that begin anew or go, readers before their writers, then tables and views that go or are made again.
    async fn stop_and_drop(&mut self, plan: &Plan, items: &[Item], all: bool) -> Result<()> {
        let mut jobs: Vec<Arc<Job>> =
            plan.decisions.iter().filter(|d| d.action == Action::Remake).filter_map(|d| d.job.clone()).collect();
        if all {
            jobs.extend(plan.gone.iter().filter_map(|gone| match gone {
                Gone::Job(job) => Some(job.clone()),
                Gone::Alert(alert) => self.engine.shared.job_of(alert),
                Gone::Object { .. } => None,
            }));
            let of_gone = |path: &ObjectPath| {
                let jobs = self.engine.shared.jobs.all();
                jobs.into_iter().find(|j| {
                    j.spec.kind == JobKind::MaterializedTable && j.is_in_catalog() && j.spec.targets.contains(path)
                })
            };
            jobs.extend(plan.gone.iter().filter_map(|gone| match gone {
                Gone::Object { kind: ObjectKind::MaterializedTable, path, .. } => of_gone(path),
                _ => None,
            }));
        }
        self.stop(jobs).await?;
        for (item, decision) in items.iter().zip(&plan.decisions) {
            if let (What::Table(def), Action::Remake) = (&item.what, &decision.action) {
                self.drop(ObjectKind::Table, &def.path).await?;
            }
        }
        if all {
            self.drop_gone(plan, false).await?;
        }
        Ok(())
    }

    /// A job that reads what another one writes stops before it.
    async fn stop(&mut self, mut jobs: Vec<Arc<Job>>) -> Result<()> {
        while !jobs.is_empty() {
            let is_read = |job: &Arc<Job>| {
                jobs.iter().any(|other| job.spec.targets.iter().any(|t| other.spec.sources.contains(t)))
            };
            let last = jobs.iter().position(|job| !is_read(job)).unwrap_or(0);
            let job = jobs.remove(last);
            if let Some(alert) = job.spec.item.as_ref().and_then(|item| self.engine.shared.alerts.of_pipeline(item.id))
            {
                let undo = as_it_is(&alert);
                self.engine.shared.drop_alert(&alert.path, true).await?;
                self.undo.push(undo);
                continue;
            }
            let undo = Undo::Run { sql: job.spec.sql.clone(), settings: job.spec.settings.clone() };
            match (job.spec.kind, job.spec.targets.first()) {
                (JobKind::MaterializedTable, Some(path)) => {
                    self.engine.shared.drop_object(ObjectKind::MaterializedTable, path).await?;
                }
                _ => {
                    self.engine.shared.stop_job(&job.spec.id, false).await?;
                    self.engine.shared.jobs.remove(&job.spec.id);
                }
            }
            self.undo.push(undo);
        }
        Ok(())
    }

    /// Views before the tables that they read.
    async fn drop_gone(&mut self, plan: &Plan, with_pipelines: bool) -> Result<()> {
        if with_pipelines {
            let mut jobs = vec![];
            for gone in &plan.gone {
                match gone {
                    Gone::Job(job) => jobs.push(job.clone()),
                    Gone::Alert(alert) => jobs.extend(self.engine.shared.job_of(alert)),
                    Gone::Object { kind: ObjectKind::MaterializedTable, path, .. } => {
                        jobs.extend(self.engine.shared.jobs.writers(path));
                    }
                    Gone::Object { .. } => {}
                }
            }
            self.stop(jobs).await?;
        }
        for wanted in [ObjectKind::View, ObjectKind::Table] {
            for gone in &plan.gone {
                if let Gone::Object { kind, path, .. } = gone
                    && *kind == wanted
                {
                    self.drop(wanted, path).await?;
                }
            }
        }
        Ok(())
    }

    async fn drop(&mut self, kind: ObjectKind, path: &ObjectPath) -> Result<()> {
        let shared = &self.engine.shared;
        let undo = match shared.catalog.permanent(path) {
            Some(CatalogObject::View(view)) => Undo::View(view),
            Some(CatalogObject::Table(_)) => {
                let sql =
                    shared.ddl_text(path).ok_or_else(|| Error::bug(format!("table '{path}' has no definition")))?;
                Undo::Run { sql, settings: Settings::default() }
            }
            None => return Ok(()),
        };
        shared.drop_object(kind, path).await?;
        self.undo.push(undo);
        Ok(())
    }

    /// The id of the pipeline that an INSERT has started.
    async fn one(&mut self, item: &Item, action: &Action) -> Result<Option<String>> {
        let shared = self.engine.shared.clone();
        let origin = Origin { sql: &item.sql, settings: &item.settings, undeclared: false };
        match (action, &item.what) {
            (Action::Keep | Action::Insert, _) => Ok(None),
            (Action::Create | Action::Remake, What::Table(def)) => {
                shared.create_table(def.as_ref().clone(), origin).await?;
                self.undo.push(Undo::Drop(ObjectKind::Table, def.path.clone()));
                Ok(None)
            }
            (_, What::Table(def)) => {
                let old = match action {
                    Action::Rename(old) => old.clone(),
                    _ => def.path.clone(),
                };
                let before = shared.tables.require(&old)?.def.clone();
                let sql = shared.ddl_text(&old).unwrap_or_default();
                shared.alter_table(old, def.as_ref().clone(), &item.sql, origin).await?;
                self.undo.push(Undo::Table { now: def.path.clone(), def: before, sql });
                Ok(None)
            }
            (_, What::View(view)) => {
                let undo = match shared.catalog.permanent(&view.path) {
                    Some(CatalogObject::View(old)) => Undo::View(old),
                    _ => Undo::Drop(ObjectKind::View, view.path.clone()),
                };
                shared.create_view(view.as_ref().clone(), true, origin).await?;
                self.undo.push(undo);
                Ok(None)
            }
            (Action::Alter | Action::Swap, What::Materialized { def, plan }) => {
                let job = shared.jobs.writers(&def.path).into_iter().next();
                let change = MaterializedChange::Redefine {
                    table: Box::new(def.as_ref().clone()),
                    plan: plan.clone(),
                    sql: item.sql.clone(),
                };
                shared.alter_materialized(&def.path, change, origin).await?;
                self.undo.extend(
                    job.map(|job| Undo::Materialized {
                        sql: job.spec.sql.clone(),
                        settings: job.spec.settings.clone(),
                    }),
                );
                Ok(None)
            }
            (_, What::Materialized { def, .. }) => {
                self.run(&item.sql, &item.settings).await?;
                self.undo.push(Undo::Drop(ObjectKind::MaterializedTable, def.path.clone()));
                Ok(None)
            }
            (_, What::Job { .. }) => {
                let job = self.run(&item.sql, &item.settings).await?;
                self.undo.extend(job.clone().map(Undo::Stop));
                Ok(job)
            }
            (_, What::Database(def)) => shared.put_database(def.clone()).await.map(|()| None),
            (_, What::Alert { .. } | What::Rows { .. }) => Ok(None),
        }
    }

    async fn alert(&mut self, item: &Item, action: &Action) -> Result<()> {
        let (Some(path), false) = (item.alert(), *action == Action::Keep) else { return Ok(()) };
        let before = self.engine.shared.alerts.get(path);
        let undo = before.map_or_else(|| Undo::DropAlert(path.clone()), |alert| as_it_is(&alert));
        self.put_alert(&item.sql, &item.settings).await?;
        // It was dropped a moment ago: who had silenced it need not do it again.
        let silence = self.undo.iter().find_map(|undo| match undo {
            Undo::Alert { path: old, silenced_until_ms: Some(until), .. } if old == path => Some(*until),
            _ => None,
        });
        self.undo.push(undo);
        let shared = &self.engine.shared;
        silence.map_or(Ok(()), |until| shared.silence(&*shared.alert(path)?, Some(until)))
    }

    /// Makes it, or changes the one that is there into it.
    async fn put_alert(&self, sql: &str, settings: &Settings) -> Result<()> {
        let shared = &self.engine.shared;
        let Planned::CreateAlert { def, plan, .. } = shared.plan(sql, settings, false)?.planned else {
            return Err(Error::bug("an alert without its statement"));
        };
        let origin = Origin { sql, settings, undeclared: false };
        shared.create_alert(*def, plan, IfThere::Replace, origin).await.map(drop)
    }

    /// A statement as a client would give it; the pipeline that it has started.
    async fn run(&self, sql: &str, settings: &Settings) -> Result<Option<String>> {
        let mut session = EngineSession::new(self.engine.clone(), Door::Http);
        session.settings = settings.clone();
        match session.execute(sql, &[]).await? {
            StatementOutput::Done(done) => Ok(done.job),
            StatementOutput::Rows(_) => Ok(None),
        }
    }

    async fn take_back(&self, undo: Undo) -> Result<()> {
        let shared = &self.engine.shared;
        match undo {
            Undo::Drop(kind, path) => shared.drop_object(kind, &path).await,
            Undo::Stop(id) => shared.stop_job(&id, false).await,
            Undo::DropAlert(path) => shared.drop_alert(&path, true).await,
            Undo::Alert { path, sql, settings, silenced_until_ms } => {
                self.put_alert(&sql, &settings).await?;
                shared.silence(&*shared.alert(&path)?, silenced_until_ms)
            }
            Undo::Run { sql, settings } => self.run(&sql, &settings).await.map(drop),
            Undo::Table { now, def, sql } => {
                let settings = Settings::default();
                let origin = Origin { sql: &sql, settings: &settings, undeclared: false };
                shared.alter_table(now, def.as_ref().clone(), &sql, origin).await
            }
            Undo::View(view) => {
                let sql = format!("CREATE VIEW {} AS {}", arus_sql::unparse::quoted_name(&view.path.name), view.query);
                let settings = crate::alter::in_database_of(&Settings::default(), &view.path);
                let origin = Origin { sql: &sql, settings: &settings, undeclared: false };
                shared.create_view(view.as_ref().clone(), true, origin).await
            }
            Undo::Materialized { sql, settings } => self.redefine(&sql, &settings).await,
        }
    }

    /// Gives a materialized table the definition that it had.
    async fn redefine(&self, sql: &str, settings: &Settings) -> Result<()> {
        let shared = &self.engine.shared;
        let statement = arus_sql::parser::parse_statement(sql).map_err(|e| arus_sql::syntax_error(e, sql))?;
        let arus_sql::ast::StatementKind::CreateMaterializedTable(create) = &statement.kind else {
            return Err(Error::bug("a materialized table without its statement"));
        };
        let name = create.name.last().value.clone();
        let path = ObjectPath::in_catalog(
            settings.get(arus_core::settings::CATALOG),
            settings.get(arus_core::settings::DATABASE),
            name,
        );
        let catalog = crate::catalog::Changed { base: &shared.catalog, gone: vec![path.clone()], new: None };
        let Planned::CreateMaterializedTable { table, plan } =
            shared.plan_over(&catalog, sql, settings, false)?.planned
        else {
            return Err(Error::bug("a materialized table without its statement"));
        };
        let path = table.path.clone();
        let change = MaterializedChange::Redefine { table: Box::new(table), plan, sql: sql.into() };
        let origin = Origin { sql, settings, undeclared: false };
        shared.alter_materialized(&path, change, origin).await.map(drop)
    }

    /// What the project has made is its own from now on.
    async fn remember(&mut self, items: &[Item], jobs: Vec<JobRecord>, request: &ApplyRequest) -> Result<()> {
        let shared = self.engine.shared.clone();
        let mut record = self.record.clone();
        let objects: BTreeSet<ObjectPath> = items.iter().filter_map(Item::object).cloned().collect();
        record.objects = objects.into_iter().collect();
        let alerts: BTreeSet<ObjectPath> = items.iter().filter_map(Item::alert).cloned().collect();
        record.alerts = alerts.into_iter().collect();
        record.jobs = jobs;
        let rows: BTreeSet<u64> = items
            .iter()
            .filter_map(|item| match &item.what {
                What::Rows { hash, .. } => Some(*hash),
                _ => None,
            })
            .collect();
        record.rows = rows.into_iter().collect();
        record.dashboards.clone_from(&request.dashboards);
        if record == self.record && record.id != 0 {
            return Ok(());
        }
        let changes = vec![record.change(&shared)?];
        shared.ask(|reply| Control::Catalog { changes, reply }).await?;
        shared.projects.put(record);
        Ok(())
    }
}

fn as_it_is(alert: &Alert) -> Undo {
    let item = alert.item();
    let silenced_until_ms = alert.book().silenced_until_ms;
    Undo::Alert { path: alert.path.clone(), sql: item.sql.clone(), settings: settings_of(&item), silenced_until_ms }
}
