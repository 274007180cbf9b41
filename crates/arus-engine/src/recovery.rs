//! From a data folder to running pipelines: the manifest says what there is, the log and the state files hold it.
//!
//! Nothing is read, told, deleted or delivered before the manifest's raised incarnation is durable.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use arus_core::catalog::{CatalogObject, DatabaseDef, ObjectPath, TableDef, ViewDef};
use arus_core::{Error, Result, RowSchema, planted};
use arus_sql::Planned;
use arus_sql::ast::StatementKind;
use arus_storage::log::{KnownEnd, Topic};
use arus_storage::manifest::{CatalogItem, Checkpoint, ManifestState};
use arus_stream::Checkpoint as TaskCheckpoint;

use crate::access::ACCESS;
use crate::alerts::ALERT;
use crate::ddl::{CLIENT_WRITER, DATABASE_ITEM, MATERIALIZED, PIPELINE, TABLE, VIEW, settings_of};
use crate::domain::Domain;
use crate::follow;
use crate::jobs::{Job, JobKind, JobSpec, JobStatus};
use crate::project::{PROJECT_ITEM, Record};
use crate::restore::{RestoredState, since};
use crate::shared::Shared;
use crate::tables::{Table, Writer};

/// A job of the catalog, planned again from its text.
pub(crate) struct RecoveredJob {
    id: u64,
    job: Arc<Job>,
    cut: Option<TaskCheckpoint>,
    suspended: bool,
}

/// Makes tables, views and jobs of the catalog, by the order of their creation.
pub(crate) fn recover(
    shared: &Arc<Shared>,
    state: &ManifestState,
    restored: &RestoredState,
) -> Result<Vec<RecoveredJob>> {
    let checkpoint = state.checkpoint.as_ref();
    let mut jobs = vec![];
    let mut pending = in_order(state);
    while !pending.is_empty() {
        let mut later = vec![];
        for item in &pending {
            match recover_item(shared, item, checkpoint, restored) {
                Ok(spec) => jobs.extend(spec.map(|spec| recovered_job(shared, item, spec, checkpoint)).transpose()?),
                Err(e) => later.push((*item, e)),
            }
        }
        // A view may be older than the table of its name that it reads now.
        if later.len() == pending.len() {
            for (item, error) in &later {
                broken(shared, item, error)?;
            }
            break;
        }
        pending = later.into_iter().map(|(item, _)| item).collect();
    }
    shared.forget_dropped_at_start();
    jobs.sort_by_key(|job: &RecoveredJob| job.id);
    jobs.retain(|recovered| recovered.job.status() == JobStatus::Running);
    shared.log.remove_unknown()?;
    shared.alerts.remove_unknown()?;
    if let Some(checkpoint) = checkpoint {
        for table in shared.tables.all() {
            if let Some(ends) = table.topic().and_then(|t| checkpoint.markers.get(&t.id())) {
                table.set_visible(ends.clone());
            }
        }
        shared.figures.recovery_epoch.store(checkpoint.cut.epoch, Relaxed);
    }
    Ok(jobs)
}

fn recovered_job(
    shared: &Shared,
    item: &CatalogItem,
    spec: JobSpec,
    checkpoint: Option<&Checkpoint>,
) -> Result<RecoveredJob> {
    let known = !starts_over(item) && !planted("positions-not-restored");
    let record = checkpoint.and_then(|c| c.pipelines.get(&item.id)).filter(|_| known);
    let cut = record
        .map(|r| serde_json::from_value(r.task.clone()))
        .transpose()
        .map_err(|e| Error::bug(format!("the cut of pipeline '{}' cannot be read: {e}", spec.name)))?;
    let job = Job::new(spec);
    if item.extra["finished"].as_bool() == Some(true) {
        job.status.send_replace(JobStatus::Finished);
    }
    shared.jobs.put(job.clone());
    for table in job.spec.targets.iter().filter_map(|path| shared.tables.get(path)) {
        let by_clients = job.spec.kind == JobKind::ClientWriter;
        table.set_writer(if by_clients { Writer::Clients } else { Writer::Pipeline(job.spec.name.clone()) });
    }
    let suspended = item.extra["suspended"].as_bool() == Some(true);
    Ok(RecoveredJob { id: item.id, job, cut, suspended })
}

/// A view whose query no longer fits is there all the same, as it was before the restart: whoever reads it is told. Without
/// anything else there is no server.
fn broken(shared: &Shared, item: &CatalogItem, error: &Error) -> Result<()> {
    let statement = arus_sql::parser::parse_statement(&item.sql).ok().map(|statement| statement.kind);
    let (VIEW, Some(StatementKind::CreateView(view))) = (item.kind.as_str(), statement) else {
        let what = format!("recovery of {} '{}'", item.kind.replace('_', " "), item.path);
        return Err(Error::new(error.kind(), error.message()).with_code(error.code()).in_context(what));
    };
    tracing::warn!("view '{}' cannot be read: {error}", item.path);
    lock(&shared.item_ids).insert(item.id, item.path.clone());
    shared.catalog.put(CatalogObject::View(Arc::new(ViewDef {
        path: item.path.clone(),
        columns: RowSchema::new(vec![]),
        query: view.query.to_string(),
        comment: None,
        temporary: false,
    })));
    Ok(())
}

/// Databases, then tables, then views, then what runs: a statement that was changed later may name what was made after it.
fn in_order(state: &ManifestState) -> Vec<&CatalogItem> {
    let rank = |item: &&CatalogItem| match item.kind.as_str() {
        DATABASE_ITEM => 0,
        TABLE => 1,
        VIEW => 2,
        MATERIALIZED => 3,
        _ => 4,
    };
    let mut items: Vec<&CatalogItem> = state.catalog.values().collect();
    items.sort_by_key(|item| (rank(item), item.id));
    items
}

fn recover_item(
    shared: &Arc<Shared>,
    item: &CatalogItem,
    checkpoint: Option<&Checkpoint>,
    restored: &RestoredState,
) -> Result<Option<JobSpec>> {
    if item.kind == ACCESS {
        shared.access.recover(item)?;
        return Ok(None);
    }
    if item.kind == CLIENT_WRITER {
        let table = shared.tables.require(&item.path)?;
        return Ok(Some(shared.client_writer_spec(item, &table.def)));
    }
    if item.kind == PROJECT_ITEM {
        let record = Record::of_item(item)
            .ok_or_else(|| Error::bug(format!("project '{}' of the catalog cannot be read", item.path.name)))?;
        shared.projects.put(record);
        return Ok(None);
    }
    if item.kind == DATABASE_ITEM {
        let def: DatabaseDef = serde_json::from_value(item.extra["database"].clone())
            .map_err(|e| Error::bug(format!("a database of the catalog cannot be read: {e}")))?;
        lock(&shared.item_ids).insert(item.id, item.path.clone());
        shared.catalog.put_database(def);
        return Ok(None);
    }
    // A view is bound at each use; what it reads need not be there.
    if item.kind == VIEW
        && let Ok(view) = serde_json::from_value::<ViewDef>(item.extra["view"].clone())
    {
        lock(&shared.item_ids).insert(item.id, view.path.clone());
        shared.catalog.put(CatalogObject::View(Arc::new(view)));
        return Ok(None);
    }
    let settings = settings_of(item);
    let planned = shared.plan(&item.sql, &settings, false)?.planned;
    match (item.kind.as_str(), planned) {
        (TABLE, Planned::CreateTable { table, .. }) => {
            recover_table(shared, item, table, checkpoint, restored)?;
            Ok(None)
        }
        (VIEW, Planned::CreateView { view, .. }) => {
            lock(&shared.item_ids).insert(item.id, view.path.clone());
            shared.catalog.put(CatalogObject::View(Arc::new(view)));
            Ok(None)
        }
        (MATERIALIZED, Planned::CreateMaterializedTable { table, plan }) => {
            let path = table.path.clone();
            recover_table(shared, item, table, checkpoint, restored)?;
            Ok(Some(shared.spec_of_item(item, JobKind::MaterializedTable, path.to_string(), plan, vec![path])))
        }
        (ALERT, Planned::CreateAlert { def, plan, .. }) => {
            shared.alerts.put(*def, item.clone())?;
            Ok(Some(shared.alert_spec(item, plan)))
        }
        (PIPELINE, Planned::Insert { plan, target }) => {
            Ok(Some(job(shared, item, JobKind::Insert, plan, vec![target])))
        }
        (PIPELINE, Planned::InsertValues { plan, table, .. }) => {
            Ok(Some(job(shared, item, JobKind::Insert, plan, vec![table.path.clone()])))
        }
        (PIPELINE, Planned::StatementSet { plan, targets }) => {
            Ok(Some(job(shared, item, JobKind::StatementSet, plan, targets)))
        }
        (kind, _) => Err(Error::bug(format!("a statement of the catalog is no {kind}"))),
    }
}

fn job(
    shared: &Shared,
    item: &CatalogItem,
    kind: JobKind,
    plan: arus_core::plan::PhysicalPlan,
    targets: Vec<ObjectPath>,
) -> JobSpec {
    let name = item.extra["name"].as_str().unwrap_or("pipeline").to_string();
    shared.spec_of_item(item, kind, name, plan, targets)
}

fn recover_table(
    shared: &Arc<Shared>,
    item: &CatalogItem,
    def: TableDef,
    checkpoint: Option<&Checkpoint>,
    restored: &RestoredState,
) -> Result<Arc<Table>> {
    let topic = item.topic.map(|id| open_topic(shared, item, id, checkpoint)).transpose()?;
    let table = shared.install_table(item.id, Arc::new(def), topic)?;
    if item.extra["undeclared"].as_bool() == Some(true) {
        table.set_undeclared();
    }
    // Rows that no pipeline of the catalog writes are clients': a pipeline recovered later takes the table over.
    if table.inbox().is_some_and(|topic| topic.ends().iter().any(|end| *end > 0)) {
        table.set_writer(Writer::Clients);
    }
    if let Some(checkpoint) = checkpoint {
        for (uid, keyed) in table.states().into_iter().filter(|_| !starts_over(item)) {
            for entry in restored.of(uid) {
                keyed.restore_entry(&entry.key, &entry.value)?;
            }
            keyed.finish_restore(checkpoint.cut, checkpoint.as_of_ms);
        }
        table.shown.restore(checkpoint.cut)?;
        if let Some(damage) =
            restored.damage_since(table.state_uid("rows"), since(item)).filter(|_| table.keyed().is_some())
        {
            tracing::error!("table '{}' cannot be read: {damage}", table.def.path);
            table.set_damaged(damage.to_string());
        }
        if let (Some(rows), Some(cut)) = (table.keyed(), checkpoint.changed.get(&item.id)) {
            rows.set_unchanged_since(*cut);
        }
    }
    Ok(table)
}

/// A pipeline's topic is cut to its markers; a client's keeps what is whole beyond the last known sync.
fn open_topic(shared: &Shared, item: &CatalogItem, id: u64, checkpoint: Option<&Checkpoint>) -> Result<Arc<Topic>> {
    let count = item.partitions.unwrap_or(1) as usize;
    let markers = checkpoint.and_then(|c| c.markers.get(&id));
    let synced = checkpoint.and_then(|c| c.synced.get(&id));
    let known: Vec<KnownEnd> = (0..count)
        .map(|partition| match (markers, synced) {
            _ if starts_over(item) => KnownEnd::Pipeline(0),
            (Some(ends), _) => KnownEnd::Pipeline(ends.get(partition).copied().unwrap_or(0)),
            (None, ends) => KnownEnd::Client(ends.and_then(|e| e.get(partition)).copied().unwrap_or(0)),
        })
        .collect();
    shared.log.open_topic(id, &item.path.to_string(), &known)
}

/// A rebuild of this materialized table was cut short: it begins again.
fn starts_over(item: &CatalogItem) -> bool {
    item.extra["rebuild"].as_bool() == Some(true)
}

/// Hands the jobs to the data thread, and notes what they will read again.
pub(crate) fn resume(
    shared: &Arc<Shared>,
    domain: &mut Domain,
    jobs: Vec<RecoveredJob>,
    checkpoint: Option<Checkpoint>,
    restored: &RestoredState,
) {
    let epoch = checkpoint.as_ref().map_or(0, |c| c.cut.epoch);
    if let Some(checkpoint) = checkpoint {
        domain.adopt(checkpoint);
    }
    let mut replayed = 0;
    let nothing = RestoredState::default();
    for RecoveredJob { id, job, cut, suspended } in jobs {
        if cut.is_some()
            && let Err(e) = follow::recover(shared, &job, restored)
        {
            // It reads those tables anew.
            tracing::error!("pipeline '{}': {e}", job.spec.name);
        }
        if suspended {
            domain.stall(id, job);
            continue;
        }
        // One that starts over has nothing of before.
        let state = if cut.is_some() { restored } else { &nothing };
        let cut = cut.unwrap_or_default();
        if cut.epoch < epoch {
            forget_side_rows(shared, &job, &cut);
        }
        replayed += rows_to_replay(shared, &job, &cut);
        domain.restore(id, job, &cut, state);
    }
    shared.figures.recovery_replayed_rows.store(replayed, Relaxed);
}

/// A pipeline that had failed and not yet started again when the checkpoint was made has an older cut: what it set aside since
/// then is in the tables all the same, and comes again.
fn forget_side_rows(shared: &Shared, job: &Job, cut: &TaskCheckpoint) {
    for (table, _) in job.spec.sources.iter().filter_map(|path| shared.table_of(path)) {
        if let Err(e) = table.forget_side_rows(&job.spec.name, cut.epoch) {
            tracing::error!("rows that were set aside beside table '{}' may be there twice: {e}", table.def.path);
        }
    }
}

/// Rows of topics between the checkpoint's position and the end of the log.
fn rows_to_replay(shared: &Shared, job: &Job, cut: &TaskCheckpoint) -> u64 {
    let mut rows = 0;
    for (id, scan) in job.spec.plan.scans() {
        let Some((table, _)) = shared.table_of(&scan.table.path) else { continue };
        let Some(topic) = table.topic().or(table.inbox()) else { continue };
        let Some(state) = job.spec.plan.nodes.get(id).and_then(|n| cut.scans.get(&n.uid)) else { continue };
        for split in &state.splits {
            let number = split.split.id.trim_start_matches('p').parse::<u32>().ok();
            let Some(partition) = number.and_then(|n| topic.partition(n)) else { continue };
            let position = split.position.as_ref().and_then(|p| p.as_u64()).unwrap_or(0);
            rows += (partition.end_offset().max(0) as u64).saturating_sub(position);
        }
    }
    rows
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("no holder of this lock panics")
}
