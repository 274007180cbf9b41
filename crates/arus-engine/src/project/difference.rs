//! What is there against what is wanted: what happens to each object, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arus_core::catalog::{Catalog, CatalogObject, ColumnKind, ObjectPath, TableDef, TableKind, ViewDef};
use arus_core::error::Code;
use arus_core::plan::{Op, PhysicalPlan};
use arus_core::project::ApplyStep;
use arus_core::{Error, Result};
use arus_sql::ast::ObjectKind;
use xxhash_rust::xxh3::xxh3_64;

use super::alerts;
use super::record::Record;
use super::wanted::{Item, What};
use crate::alerts::Alert;
use crate::alter::{check_storage, has_rows, shape};
use crate::ddl::in_use;
use crate::jobs::{Job, JobKind, JobStatus};
use crate::shared::Shared;
use crate::tables::{Table, Writer};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Keep,
    /// Rows and state stay, the definition is another one.
    Alter,
    Rename(ObjectPath),
    /// The new one is there before the old one goes.
    Swap,
    /// Dropped and made again.
    Remake,
    /// Rows that are put once.
    Insert,
}

pub(super) struct Decision {
    pub(super) action: Action,
    pub(super) reason: String,
    pub(super) loses_rows: bool,
    /// What runs now.
    pub(super) job: Option<Arc<Job>>,
}

/// What is dropped.
pub(super) enum Gone {
    Object { kind: ObjectKind, path: ObjectPath, loses_rows: bool },
    Job(Arc<Job>),
    Alert(Arc<Alert>),
}

pub(super) struct Plan {
    /// By item.
    pub(super) decisions: Vec<Decision>,
    pub(super) gone: Vec<Gone>,
}

impl Plan {
    /// Whether a table or view that is there becomes another one.
    pub(super) fn changes_definitions(&self, items: &[Item]) -> bool {
        self.decisions.iter().zip(items).any(|(d, item)| {
            matches!(item.what, What::Table(_) | What::View(_)) && !matches!(d.action, Action::Create | Action::Keep)
        })
    }

    pub(super) fn steps(&self, items: &[Item]) -> Vec<ApplyStep> {
        let mut steps: Vec<ApplyStep> = vec![];
        for (item, decision) in items.iter().zip(&self.decisions) {
            let action = match &decision.action {
                Action::Create => "create",
                Action::Keep => "keep",
                Action::Alter => "alter",
                Action::Rename(_) => "rename",
                Action::Remake if decision.loses_rows => "replace",
                Action::Swap | Action::Remake => "rebuild",
                Action::Insert => "insert",
            };
            steps.push(ApplyStep {
                action: action.into(),
                kind: item.kind().into(),
                name: item.name(),
                file: Some(item.file.clone()),
                line: Some(item.line),
                reason: decision.reason.clone(),
                loses_rows: decision.loses_rows,
            });
        }
        for gone in &self.gone {
            let (kind, name, loses_rows) = match gone {
                Gone::Object { kind, path, loses_rows } => {
                    (kind.as_str().to_lowercase(), path.to_string(), *loses_rows)
                }
                Gone::Job(job) => ("pipeline".into(), job.spec.name.clone(), false),
                Gone::Alert(alert) => ("alert".into(), alert.path.to_string(), false),
            };
            let lost = if loses_rows { "; rows that clients wrote go with it" } else { "" };
            steps.push(ApplyStep {
                action: "drop".into(),
                kind,
                name,
                file: None,
                line: None,
                reason: format!("it is not in the project any more{lost}"),
                loses_rows,
            });
        }
        steps
    }
}

pub(super) fn compare(shared: &Arc<Shared>, items: &[Item], record: &Record) -> Result<Plan> {
    let mut difference = Difference {
        shared,
        items,
        jobs: shared
            .jobs
            .all()
            .into_iter()
            .filter(|j| j.is_in_catalog() && j.spec.item.is_some() && j.spec.kind != JobKind::ClientWriter)
            .collect(),
        remade: BTreeMap::new(),
        taken: BTreeSet::new(),
    };
    let mut gone = difference.gone_objects(record);
    let mut decisions = vec![];
    for item in items {
        decisions.push(difference.first(item, record, &mut gone)?);
    }
    difference.follow(&mut decisions);
    difference.choose_swaps(&mut decisions);
    alerts::tell_losses(items, &mut decisions);
    for job in &difference.jobs {
        if !difference.taken.contains(&job.spec.id) && record.jobs.iter().any(|r| r.id == job.spec.id) {
            gone.push(Gone::Job(job.clone()));
        }
    }
    difference.refuse_strangers(&decisions, &gone)?;
    Ok(Plan { decisions, gone })
}

struct Difference<'a> {
    shared: &'a Arc<Shared>,
    items: &'a [Item],
    /// That run, and are in the catalog.
    jobs: Vec<Arc<Job>>,
    /// Tables whose rows all come anew.
    remade: BTreeMap<ObjectPath, ()>,
    /// Jobs that an item stands for.
    taken: BTreeSet<String>,
}

impl Difference<'_> {
    fn kind_of(&self, path: &ObjectPath) -> Option<ObjectKind> {
        match self.shared.catalog.permanent(path)? {
            CatalogObject::View(_) => Some(ObjectKind::View),
            CatalogObject::Table(def) if def.query.is_some() => Some(ObjectKind::MaterializedTable),
            CatalogObject::Table(_) => Some(ObjectKind::Table),
        }
    }

    /// What the project had and has no more.
    fn gone_objects(&self, record: &Record) -> Vec<Gone> {
        let wanted: BTreeSet<&ObjectPath> = self.items.iter().filter_map(Item::object).collect();
        let left = record.objects.iter().filter(|path| !wanted.contains(path));
        let objects = left.filter_map(|path| self.gone(path));
        objects.chain(alerts::gone(self.shared, self.items, record)).collect()
    }

    fn gone(&self, path: &ObjectPath) -> Option<Gone> {
        let kind = self.kind_of(path)?;
        let loses_rows = self.shared.tables.get(path).is_some_and(|t| holds_rows_of_clients(&t));
        Some(Gone::Object { kind, path: path.clone(), loses_rows })
    }

    /// What happens to an item for its own sake.
    fn first(&mut self, item: &Item, record: &Record, gone: &mut Vec<Gone>) -> Result<Decision> {
        let wanted = match &item.what {
            What::Table(_) => Some(ObjectKind::Table),
            What::View(_) => Some(ObjectKind::View),
            What::Materialized { .. } => Some(ObjectKind::MaterializedTable),
            _ => None,
        };
        if let (Some(wanted), Some(path)) = (wanted, item.object())
            && let Some(found) = self.kind_of(path)
            && found != wanted
        {
            self.remade.insert(path.clone(), ());
            gone.extend(self.gone(path));
            return Ok(decided(Action::Create, format!("it is a {} now", found.as_str().to_lowercase())));
        }
        Ok(match &item.what {
            What::Database(def) => match self.shared.catalog.database(&def.catalog, &def.name) {
                Some(_) => decided(Action::Keep, "it is there"),
                None => decided(Action::Create, "it is new"),
            },
            What::Table(def) => self.table(def, gone),
            What::View(view) => self.view(view),
            What::Materialized { def, plan } => self.materialized(def, plan),
            What::Job { plan, targets, .. } => self.job(plan, targets, record),
            What::Alert { def, plan } => {
                let decision = alerts::compare(self.shared, def, plan);
                self.taken.extend(decision.job.iter().map(|job| job.spec.id.clone()));
                decision
            }
            What::Rows { hash, .. } => match record.rows.contains(hash) {
                true => decided(Action::Keep, "these rows were put before"),
                false => decided(Action::Insert, "these rows are new"),
            },
        })
    }

    fn table(&mut self, def: &Arc<TableDef>, gone: &mut Vec<Gone>) -> Decision {
        let Some(table) = self.shared.tables.get(&def.path).filter(|t| !t.is_undeclared()) else {
            let renamed = gone.iter().position(|gone| match gone {
                Gone::Object { kind: ObjectKind::Table, path, .. } => self.is_renamed(path, def),
                _ => false,
            });
            return match renamed.map(|at| gone.remove(at)) {
                Some(Gone::Object { path, .. }) => {
                    let reason = format!("'{path}' has the same definition and goes: its rows are kept");
                    decided(Action::Rename(path), reason)
                }
                _ => decided(Action::Create, "it is new"),
            };
        };
        if same_table(&table.def, def) {
            return decided(Action::Keep, "it is as it was");
        }
        match check_storage(&table, def) {
            Ok(()) => {
                let relaid = table.keyed().is_some()
                    && (table.def.physical_schema() != def.physical_schema()
                        || table.def.primary_key != def.primary_key);
                if relaid {
                    self.remade.insert(def.path.clone(), ());
                }
                decided(Action::Alter, format!("{}: its rows are kept", changed(&table.def, def)))
            }
            Err(why) => {
                self.remade.insert(def.path.clone(), ());
                let loses_rows = holds_rows_of_clients(&table);
                let why = why.message().split_once(": ").map_or(why.message(), |(_, why)| why).to_string();
                let lost = if loses_rows { "; rows that clients wrote are lost" } else { "" };
                let reason = format!("{}, and {why}{lost}", changed(&table.def, def));
                Decision { loses_rows, ..decided(Action::Remake, reason) }
            }
        }
    }

    fn is_renamed(&self, old: &ObjectPath, def: &TableDef) -> bool {
        let Some(table) = self.shared.tables.get(old) else { return false };
        let renamed = TableDef { path: def.path.clone(), ..table.def.as_ref().clone() };
        table.def.kind != TableKind::Connector && same_table(&renamed, def)
    }

    fn view(&self, view: &Arc<ViewDef>) -> Decision {
        match self.shared.catalog.permanent(&view.path) {
            Some(CatalogObject::View(old)) => {
                let same = old.columns == view.columns
                    && normal(&old.query) == normal(&view.query)
                    && old.comment == view.comment;
                if same {
                    decided(Action::Keep, "it is as it was")
                } else {
                    decided(Action::Alter, "its query changes")
                }
            }
            _ => decided(Action::Create, "it is new"),
        }
    }

    fn materialized(&mut self, def: &Arc<TableDef>, plan: &PhysicalPlan) -> Decision {
        let of_it = |j: &&Arc<Job>| j.spec.kind == JobKind::MaterializedTable && j.spec.targets.contains(&def.path);
        let Some(job) = self.jobs.iter().find(of_it).cloned() else { return decided(Action::Create, "it is new") };
        self.taken.insert(job.spec.id.clone());
        let Some(table) = self.shared.tables.get(&def.path) else { return decided(Action::Create, "it is new") };
        let fits = table.def.kind == def.kind
            && table.def.physical_schema() == def.physical_schema()
            && table.def.primary_key == def.primary_key;
        let runs = matches!(job.status(), JobStatus::Running | JobStatus::Restarting(_));
        let decision = if !fits || !self.is_same(&job, plan) {
            self.remade.insert(def.path.clone(), ());
            decided(Action::Remake, why_changed(&table.def, def, &job.spec.plan, plan))
        } else if same_table(&table.def, def) {
            decided(Action::Keep, if runs { "its state is kept" } else { "it is as it was" })
        } else if job.status() == JobStatus::Running {
            decided(Action::Alter, format!("{}: its rows and state are kept", changed(&table.def, def)))
        } else {
            self.remade.insert(def.path.clone(), ());
            decided(Action::Remake, format!("{}, and its pipeline does not run", changed(&table.def, def)))
        };
        Decision { job: Some(job), ..decision }
    }

    fn job(&mut self, plan: &PhysicalPlan, targets: &[ObjectPath], record: &Record) -> Decision {
        let wanted: BTreeSet<&ObjectPath> = targets.iter().collect();
        let candidates: Vec<Arc<Job>> = self
            .jobs
            .iter()
            .filter(|j| matches!(j.spec.kind, JobKind::Insert | JobKind::StatementSet))
            .filter(|j| !self.taken.contains(&j.spec.id) && j.spec.targets.iter().collect::<BTreeSet<_>>() == wanted)
            .cloned()
            .collect();
        let same = candidates.iter().find(|job| self.is_same(job, plan));
        let own = || candidates.iter().find(|job| record.jobs.iter().any(|r| r.id == job.spec.id));
        if let Some(job) = same {
            self.taken.insert(job.spec.id.clone());
            return Decision { job: Some(job.clone()), ..decided(Action::Keep, "its state is kept") };
        }
        if let Some(job) = own() {
            self.taken.insert(job.spec.id.clone());
            let reason = sources_changed(&job.spec.plan, plan).unwrap_or_else(|| "its query changes".into());
            return Decision { job: Some(job.clone()), ..decided(Action::Remake, reason) };
        }
        let print = print(plan);
        match record.jobs.iter().any(|r| r.print == print && r.targets == targets) {
            true => decided(Action::Keep, "it has come to its end, or was stopped"),
            false => decided(Action::Create, "it is new"),
        }
    }

    fn is_same(&self, job: &Job, plan: &PhysicalPlan) -> bool {
        let Some(item) = &job.spec.item else { return false };
        let again = self.shared.spec_of_item(item, job.spec.kind, String::new(), plan.clone(), vec![]);
        shape(&again.plan) == shape(&job.spec.plan)
    }

    /// Who reads what is made anew is made anew, and so are the tables that it writes.
    fn follow(&mut self, decisions: &mut [Decision]) {
        loop {
            let before = self.remade.len();
            for (item, decision) in self.items.iter().zip(decisions.iter_mut()) {
                let Some((plan, targets)) = item.pipeline() else { continue };
                let first = |paths: Vec<&ObjectPath>| {
                    paths.into_iter().find(|p| self.remade.contains_key(*p)).map(ToString::to_string)
                };
                if matches!(decision.action, Action::Keep | Action::Alter) {
                    if let Some(path) = first(plan.scans().map(|(_, scan)| &scan.table.path).collect()) {
                        decision.action = if decision.job.is_some() { Action::Remake } else { Action::Create };
                        decision.reason = format!("it reads '{path}', which is made anew");
                    } else if let Some(path) = first(targets.iter().collect()) {
                        decision.action = if decision.job.is_some() { Action::Remake } else { Action::Create };
                        decision.reason = format!("it writes '{path}', which is made anew");
                    }
                }
                if decision.action == Action::Remake {
                    self.remade.extend(targets.into_iter().map(|path| (path, ())));
                }
            }
            for (item, decision) in self.items.iter().zip(decisions.iter_mut()) {
                let What::Table(def) = &item.what else { continue };
                let managed = def.kind != TableKind::Connector;
                if managed
                    && self.remade.contains_key(&def.path)
                    && matches!(decision.action, Action::Keep | Action::Alter)
                    && self.is_written_by_project(&def.path)
                {
                    decision.action = Action::Remake;
                    decision.reason = "the pipeline that writes it begins anew".into();
                }
            }
            for (item, decision) in self.items.iter().zip(decisions.iter_mut()) {
                if let What::Rows { table, .. } = &item.what
                    && self.remade.contains_key(table)
                {
                    decision.action = Action::Insert;
                    decision.reason = "its table is made anew".into();
                }
            }
            if self.remade.len() == before {
                return;
            }
        }
    }

    fn is_written_by_project(&self, path: &ObjectPath) -> bool {
        self.items.iter().any(|item| matches!(&item.what, What::Job { targets, .. } if targets.contains(path)))
    }

    /// A materialized table that nothing reads, or an alert, over definitions that stay, is there all the time.
    fn choose_swaps(&self, decisions: &mut [Decision]) {
        let defined = self.items.iter().zip(decisions.iter()).any(|(item, d)| {
            matches!(item.what, What::Table(_) | What::View(_)) && !matches!(d.action, Action::Create | Action::Keep)
        });
        let anew: BTreeSet<ObjectPath> = self.remade.keys().cloned().collect();
        for (item, decision) in self.items.iter().zip(decisions.iter_mut()) {
            let (plan, is_read) = match &item.what {
                What::Materialized { def, plan } => {
                    (plan, self.jobs.iter().any(|job| job.spec.sources.contains(&def.path)))
                }
                What::Alert { plan, .. } => (plan, false),
                _ => continue,
            };
            let reads_anew = plan.scans().any(|(_, scan)| anew.contains(&scan.table.path));
            if decision.action == Action::Remake && !defined && !reads_anew && !is_read {
                decision.action = Action::Swap;
            }
        }
    }

    /// Pipelines of others that read or write what is dropped or made anew, or whose plan would be another one.
    fn refuse_strangers(&self, decisions: &[Decision], gone: &[Gone]) -> Result<()> {
        let mut paths: BTreeSet<ObjectPath> = self.remade.keys().cloned().collect();
        for gone in gone {
            if let Gone::Object { path, .. } = gone {
                paths.insert(path.clone());
            }
        }
        paths.extend(decisions.iter().filter_map(|d| match &d.action {
            Action::Rename(path) => Some(path.clone()),
            _ => None,
        }));
        let leaves = |job: &Job| {
            gone.iter().any(|g| match g {
                Gone::Job(other) => other.spec.id == job.spec.id,
                Gone::Object { path, .. } => {
                    job.spec.kind == JobKind::MaterializedTable && job.spec.targets.contains(path)
                }
                Gone::Alert(alert) => job.spec.item.as_ref().is_some_and(|item| item.id == alert.id),
            })
        };
        let strangers: Vec<&Arc<Job>> =
            self.jobs.iter().filter(|j| !self.taken.contains(&j.spec.id) && !leaves(j)).collect();
        for job in &strangers {
            if let Some(path) = job.spec.sources.iter().find(|p| paths.contains(*p)) {
                return Err(in_use(path, "read", &job.spec.name));
            }
            if let Some(path) = job.spec.targets.iter().find(|p| paths.contains(*p)) {
                return Err(in_use(path, "written", &job.spec.name));
            }
        }
        for (item, decision) in self.items.iter().zip(decisions).filter(|(_, d)| d.action == Action::Alter) {
            let (path, object) = match &item.what {
                What::Table(def) => (&def.path, CatalogObject::Table(def.clone())),
                What::View(view) => (&view.path, CatalogObject::View(view.clone())),
                _ => continue,
            };
            debug_assert_eq!(decision.action, Action::Alter);
            let stranger = |job: &Job| strangers.iter().any(|s| s.spec.id == job.spec.id);
            let changed = self.shared.changed_plans(path, Some(object), stranger);
            if !changed.is_empty() {
                let who = changed.join(", ");
                return Err(Error::user(format!(
                    "'{path}' cannot change: pipelines of others would have to begin anew: {who}"
                ))
                .with_code(Code::Conflict)
                .with_hint("stop them first: STOP JOB, or DROP MATERIALIZED TABLE"));
            }
        }
        Ok(())
    }
}

pub(super) fn decided(action: Action, reason: impl Into<String>) -> Decision {
    Decision { action, reason: reason.into(), loses_rows: false, job: None }
}

/// Of a plan, without the names of one server's job.
pub(super) fn print(plan: &PhysicalPlan) -> u64 {
    xxh3_64(shape(plan).to_string().as_bytes())
}

fn holds_rows_of_clients(table: &Table) -> bool {
    table.writer() == Writer::Clients && has_rows(table)
}

/// A query without its comments, blanks and capitals.
fn normal(query: &str) -> String {
    match arus_sql::parser::parse_statement(query).map(|s| s.kind) {
        Ok(arus_sql::ast::StatementKind::Query(query)) => query.to_string(),
        _ => query.to_string(),
    }
}

/// Whether two definitions differ in more than how they are written.
fn same_table(a: &TableDef, b: &TableDef) -> bool {
    let normalized = |def: &TableDef| {
        let mut def = def.clone();
        def.query = def.query.map(|query| normal(&query));
        def.temporary = false;
        for column in &mut def.columns {
            if let ColumnKind::Computed { sql, .. } = &mut column.kind {
                sql.clear();
            }
        }
        if let Some(watermark) = &mut def.watermark {
            watermark.sql.clear();
        }
        def
    };
    normalized(a) == normalized(b)
}

/// What of a definition changes, in a few words.
fn changed(old: &TableDef, new: &TableDef) -> String {
    let names = |def: &TableDef| def.columns.iter().map(|c| (c.name.clone(), c.ty.clone())).collect::<Vec<_>>();
    let key = |def: &TableDef| def.primary_key.iter().map(|i| def.columns[*i].name.clone()).collect::<Vec<_>>();
    let (before, after) = (names(old), names(new));
    if key(old) != key(new) {
        let shown = |def: &TableDef| match key(def).as_slice() {
            [] => "none".to_string(),
            key => format!("({})", key.join(", ")),
        };
        return format!("its key changes from {} to {}", shown(old), shown(new));
    }
    // Its column has another type, too.
    let same_names = before.iter().map(|c| &c.0).eq(after.iter().map(|c| &c.0));
    let marks = |def: &TableDef| def.watermark.as_ref().map(|w| (w.column, w.sql.clone()));
    if same_names && marks(old) != marks(new) {
        return "its watermark changes".into();
    }
    let added: Vec<&str> = after.iter().filter(|c| !before.contains(c)).map(|c| c.0.as_str()).collect();
    let gone: Vec<&str> = before.iter().filter(|c| !after.contains(c)).map(|c| c.0.as_str()).collect();
    match (added.is_empty(), gone.is_empty()) {
        (false, true) => return format!("new column {}", added.join(", ")),
        (true, false) => return format!("column {} goes", gone.join(", ")),
        (false, false) => return format!("columns change: {}", gone.join(", ")),
        (true, true) => {}
    }
    let options = old.options.iter().chain(&new.options).map(|(name, _)| name);
    let other: BTreeSet<&String> = options.filter(|name| old.options.get(*name) != new.options.get(*name)).collect();
    match other.is_empty() {
        true => "its definition changes".into(),
        false => {
            format!("option {} changes", other.into_iter().map(|n| format!("'{n}'")).collect::<Vec<_>>().join(", "))
        }
    }
}

fn why_changed(old: &TableDef, new: &TableDef, before: &PhysicalPlan, after: &PhysicalPlan) -> String {
    let differs = old.physical_schema() != new.physical_schema() || old.primary_key != new.primary_key;
    if differs || old.kind != new.kind {
        return changed(old, new);
    }
    sources_changed(before, after).unwrap_or_else(|| "its query changes".into())
}

/// What a pipeline reads, if that is what changes.
pub(super) fn sources_changed(before: &PhysicalPlan, after: &PhysicalPlan) -> Option<String> {
    let scans = |plan: &PhysicalPlan| -> BTreeMap<ObjectPath, String> {
        let of = |node: &arus_core::plan::Node| match &node.op {
            Op::Scan(scan) => Some((scan.table.path.clone(), format!("{:?} {:?}", scan.watermark, scan.table.options))),
            _ => None,
        };
        plan.nodes.iter().filter_map(of).collect()
    };
    let (before, after) = (scans(before), scans(after));
    if before.keys().ne(after.keys()) {
        let names = after.keys().map(|p| format!("'{p}'")).collect::<Vec<_>>();
        return Some(format!("it reads {} now", names.join(", ")));
    }
    let other = after.iter().find(|(path, scan)| before.get(*path) != Some(scan));
    other.map(|(path, _)| format!("it reads '{path}', whose watermark or options change"))
}
