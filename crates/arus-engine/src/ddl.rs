//! Statements that change the catalog. Each takes effect at a checkpoint whose record carries the change, and
//! returns when that record is durable; a failure leaves what was.

use std::collections::BTreeSet;
use std::sync::Arc;

use arus_core::catalog::{CatalogObject, ColumnKind, ObjectPath, TableColumn, TableDef, TableKind, ViewDef};
use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::plan::{ChangelogMode, Node, Op, PLAN_VERSION, PhysicalPlan, Scan, Sink, SinkTarget, Uid};
use arus_core::rng::Rng;
use arus_core::settings::{PIPELINE_NAME, Settings};
use arus_core::{Column, Error, Result, RowSchema};
use arus_sql::ast::ObjectKind;
use arus_storage::manifest::{CatalogItem, Change};
use arus_storage::table::{KeyedTable, TableMode, TableSnapshot};
use arus_stream::unique_uids;
use serde_json::json;
use xxhash_rust::xxh3::xxh3_64;

use crate::alter::view_item;
use crate::config::Mode;
use crate::domain::Control;
use crate::follow;
use crate::io;
use crate::jobs::{Job, JobKind, JobSpec};
use crate::materialized::keeps_state;
use crate::shared::{INBOX_SUFFIX, Shared};
use crate::tables::{Store, Table, Writer};

/// What kinds of items the catalog holds.
pub(crate) const TABLE: &str = "table";
pub(crate) const VIEW: &str = "view";
pub(crate) const MATERIALIZED: &str = "materialized_table";
pub(crate) const PIPELINE: &str = "pipeline";
pub(crate) const DATABASE_ITEM: &str = "database";
pub(crate) const CLIENT_WRITER: &str = "client_writer";

/// A statement as it came, with the settings of its session.
pub(crate) struct Origin<'a> {
    pub(crate) sql: &'a str,
    pub(crate) settings: &'a Settings,
    /// Made for a client that writes to a topic of this name, not declared by a person.
    pub(crate) undeclared: bool,
}

impl Shared {
    pub(crate) async fn create_table(self: &Arc<Self>, def: TableDef, origin: Origin<'_>) -> Result<()> {
        let _one = self.ddl.lock().await;
        self.refuse_temporary(def.temporary)?;
        match self.tables.get(&def.path) {
            Some(topic) if topic.is_undeclared() && !origin.undeclared => {
                return self.declare_topic(&topic, def, origin).await;
            }
            Some(_) => return Ok(()),
            None => {}
        }
        if self.catalog.has(&def.path) {
            return Ok(());
        }
        self.refuse_outside(&def)?;
        let id = self.new_id();
        let mut item = self.table_item(id, TABLE, &def, &origin);
        item.extra["since"] = json!(self.since());
        let table = self.install_table(id, Arc::new(def), None)?;
        if origin.undeclared {
            table.set_undeclared();
        }
        let changes = vec![Change::Put(item)];
        let done = self.ask(|reply| Control::Catalog { changes, reply }).await;
        if done.is_err() {
            self.uninstall_table(&table);
        }
        self.start_pump(&table)?;
        done
    }

    /// Gives columns to a topic that a client has made: its records stay, the new table reads them by its format.
    async fn declare_topic(self: &Arc<Self>, old: &Arc<Table>, def: TableDef, origin: Origin<'_>) -> Result<()> {
        let path = def.path.clone();
        let Some(topic) = old.topic().filter(|_| def.kind == TableKind::Topic).cloned() else {
            return Err(Error::user(format!(
                "topic '{path}' holds records of Kafka clients: only a table without \
                 a primary key and without a 'connector' can be declared over it"
            ))
            .with_code(Code::DuplicateObject)
            .with_hint("declare the topic, or use another name and INSERT INTO it from the topic"));
        };
        if let Some(reader) = self.jobs.readers(&path).first() {
            return Err(in_use(&path, "read", &reader.spec.name));
        }
        let count = topic.partitions().len();
        if def.option("partitions").is_some() && partitions(&def) as usize != count {
            return Err(Error::user(format!("topic '{path}' has {count} partitions already"))
                .with_code(Code::DuplicateObject)
                .with_hint("leave 'partitions' out: the number of a topic's partitions is fixed"));
        }
        let id = self.new_id();
        let mut item = self.table_item(id, TABLE, &def, &origin);
        item.topic = Some(topic.id());
        item.partitions = Some(count as u32);
        let changes = vec![Change::Delete { id: old.id }, Change::Put(item)];
        let table = self.install_table(id, Arc::new(def), Some(topic))?;
        table.set_writer(old.writer());
        let done = self.ask(|reply| Control::Catalog { changes, reply }).await;
        let gone = if done.is_ok() { old.id } else { id };
        if done.is_err() {
            self.tables.put(old.clone());
            self.catalog.put(CatalogObject::Table(old.def.clone()));
        }
        self.item_ids.lock().expect("no holder of this lock panics").remove(&gone);
        done
    }

    /// What stands there already stays, unless it is to be replaced.
    pub(crate) async fn create_view(self: &Arc<Self>, view: ViewDef, replace: bool, origin: Origin<'_>) -> Result<()> {
        let _one = self.ddl.lock().await;
        self.refuse_temporary(view.temporary)?;
        if self.catalog.has(&view.path) {
            if !replace {
                return Ok(());
            }
            self.refuse_changed_plans(&view.path, &CatalogObject::View(Arc::new(view.clone())), |_| true)?;
        }
        let item = view_item(self.new_id(), &view, origin.sql, origin.settings);
        let mut changes: Vec<Change> = self.items_of(&view.path).into_iter().map(|id| Change::Delete { id }).collect();
        changes.push(Change::Put(item.clone()));
        self.ask(|reply| Control::Catalog { changes, reply }).await?;
        self.item_ids.lock().expect("no holder of this lock panics").insert(item.id, view.path.clone());
        self.catalog.put(CatalogObject::View(Arc::new(view)));
        Ok(())
    }

    pub(crate) async fn create_materialized(
        self: &Arc<Self>,
        def: TableDef,
        plan: PhysicalPlan,
        origin: Origin<'_>,
    ) -> Result<String> {
        let _one = self.ddl.lock().await;
        let id = self.new_id();
        let path = def.path.clone();
        let mut item = self.table_item(id, MATERIALIZED, &def, &origin);
        let job_id = new_job_id(self.config.clock.now_ms());
        item.extra["since"] = json!(self.since());
        item.extra["job"] = json!(job_id);
        item.extra["started_ms"] = json!(self.config.clock.now_ms());
        let table = self.install_table(id, Arc::new(def), None)?;
        let spec = self.spec_of_item(&item, JobKind::MaterializedTable, path.to_string(), plan, vec![path]);
        let started = self.start(id, spec, vec![Change::Put(item)]).await;
        if started.is_err() {
            self.uninstall_table(&table);
        }
        started
    }

    /// CREATE TABLE .. AS: the table, and the job that fills it; its id. Without the job there is no new table either.
    pub(crate) async fn create_table_as(
        self: &Arc<Self>,
        table: TableDef,
        replace: bool,
        made: Origin<'_>,
        plan: PhysicalPlan,
        filled: Origin<'_>,
    ) -> Result<String> {
        let path = table.path.clone();
        if replace && self.catalog.has(&path) {
            self.drop_object(ObjectKind::Table, &path).await?;
        }
        let new = !self.catalog.has(&path);
        self.create_table(table, made).await?;
        let started = self.start_job(JobKind::Insert, plan, vec![path.clone()], filled).await;
        if started.is_err() && new {
            self.drop_object(ObjectKind::Table, &path).await?;
        }
        started
    }

    /// INSERT INTO .. SELECT or a STATEMENT SET: a pipeline; its id.
    pub(crate) async fn start_job(
        self: &Arc<Self>,
        kind: JobKind,
        plan: PhysicalPlan,
        targets: Vec<ObjectPath>,
        origin: Origin<'_>,
    ) -> Result<String> {
        let _one = self.ddl.lock().await;
        let id = self.new_id();
        let name = match origin.settings.get(PIPELINE_NAME) {
            "" if kind == JobKind::Select => "collect".into(),
            "" => {
                let names: Vec<String> = targets.iter().map(ObjectPath::full).collect();
                format!("insert-into_{}", names.join(","))
            }
            name => name.to_string(),
        };
        let item = CatalogItem {
            id,
            kind: PIPELINE.into(),
            path: targets.first().cloned().unwrap_or_else(|| ObjectPath::in_default("collect")),
            sql: origin.sql.into(),
            topic: None,
            partitions: None,
            extra: json!({
                "settings": origin.settings,
                "since": self.since(),
                "job": new_job_id(self.config.clock.now_ms()),
                "name": name,
                "started_ms": self.config.clock.now_ms(),
            }),
        };
        let mut spec = self.spec_of_item(&item, kind, name, plan, targets);
        if kind == JobKind::Select {
            spec.item = None;
            return self.start(id, spec, vec![]).await;
        }
        self.start(id, spec, vec![Change::Put(item)]).await
    }

    /// Claims the targets, starts the pipeline, waits for the record.
    pub(crate) async fn start(self: &Arc<Self>, id: u64, spec: JobSpec, changes: Vec<Change>) -> Result<String> {
        self.refuse_cycle(&spec)?;
        let mut claimed: Vec<Arc<Table>> = vec![];
        for path in &spec.targets {
            let Some(table) = self.tables.get(path).filter(|t| t.inbox().is_some()) else { continue };
            let claim = if spec.kind == JobKind::ClientWriter { Ok(()) } else { table.claim_for_pipeline(&spec.name) };
            if let Err(e) = claim {
                claimed.iter().for_each(|t| t.set_writer(Writer::Nobody));
                return Err(e);
            }
            claimed.push(table);
        }
        let before: Vec<_> = claimed.iter().map(|table| Before::of(table)).collect();
        let job = Job::new(spec);
        let job_id = job.spec.id.clone();
        self.jobs.put(job.clone());
        let started = self.ask(|reply| Control::Start { id, job: job.clone(), changes, reply }).await;
        if let Err(e) = started {
            self.jobs.remove(&job_id);
            // Its tables are its own for as long as it writes: nobody else may, and readers see nothing of it.
            claimed.iter().for_each(|table| table.set_hidden(true));
            if let Err(second) = self.ask(|reply| Control::Stop { job: job.clone(), changes: vec![], reply }).await {
                tracing::debug!("the pipeline that did not start: {second}");
            }
            for (table, before) in claimed.iter().zip(&before) {
                self.take_back(table, before);
                table.thaw();
                table.set_writer(Writer::Nobody);
                table.set_hidden(false);
            }
            return Err(e);
        }
        Ok(job_id)
    }

    /// What a pipeline that did not start has written goes: of a topic unless somebody reads it already, of a keyed table as
    /// changes of the next epoch.
    fn take_back(&self, table: &Table, before: &Before) {
        if let (Some(keyed), Some(rows)) = (table.keyed(), &before.rows) {
            keyed.go_back(rows);
            self.wake();
        }
        let Some(topic) = table.topic() else { return };
        if self.jobs.all().iter().any(|job| job.spec.sources.contains(&table.def.path)) {
            return;
        }
        if let Err(e) = topic.cut(&before.ends) {
            tracing::warn!("rows of a pipeline that did not start stay in table '{}': {e}", table.def.path);
        }
    }

    /// A pipeline may not read, over other pipelines, what it writes.
    fn refuse_cycle(&self, spec: &JobSpec) -> Result<()> {
        let mut reached: BTreeSet<ObjectPath> = spec.targets.iter().cloned().collect();
        loop {
            if let Some(path) = spec.sources.iter().find(|s| reached.contains(*s)) {
                return Err(Error::user(format!("the pipeline would read its own output through table '{path}'"))
                    .with_code(Code::Conflict));
            }
            let before = reached.len();
            for job in self.jobs.all().iter().filter(|j| j.is_in_catalog()) {
                if job.spec.sources.iter().any(|s| reached.contains(s)) {
                    reached.extend(job.spec.targets.iter().cloned());
                }
            }
            if reached.len() == before {
                return Ok(());
            }
        }
    }

    pub(crate) async fn stop_job(self: &Arc<Self>, id: &str, drain: bool) -> Result<()> {
        let _one = self.ddl.lock().await;
        let job = self.jobs.get(id).ok_or_else(|| {
            Error::user(format!("job '{id}' does not exist"))
                .with_code(Code::InvalidValue)
                .with_hint("SHOW JOBS lists them")
        })?;
        let name = &job.spec.name;
        if job.spec.kind == JobKind::MaterializedTable {
            return Err(Error::user(format!("job '{id}' belongs to materialized table '{name}'"))
                .with_hint(format!("ALTER MATERIALIZED TABLE {name} SUSPEND stops it for a while, DROP for good")));
        }
        if job.spec.kind == JobKind::Alert {
            return Err(Error::user(format!("job '{id}' belongs to {name}")).with_hint("DROP ALERT stops it for good"));
        }
        if drain {
            return self.ask(|reply| Control::Drain { job: job.clone(), reply }).await;
        }
        self.stop(&job).await
    }

    pub(crate) async fn stop(self: &Arc<Self>, job: &Arc<Job>) -> Result<()> {
        let changes = job.spec.item.iter().map(|item| Change::Delete { id: item.id }).collect();
        self.ask(|reply| Control::Stop { job: job.clone(), changes, reply }).await?;
        for path in &job.spec.targets {
            if let Some(table) =
                self.tables.get(path).filter(|t| matches!(t.store, Store::Topic(_) | Store::Keyed { .. }))
            {
                table.set_writer(Writer::Nobody);
                table.thaw();
            }
        }
        Ok(())
    }

    pub(crate) async fn drop_object(self: &Arc<Self>, kind: ObjectKind, path: &ObjectPath) -> Result<()> {
        let _one = self.ddl.lock().await;
        if kind == ObjectKind::View {
            self.refuse_view_in_use(path)?;
            let changes = self.items_of(path).into_iter().map(|id| Change::Delete { id }).collect();
            self.ask(|reply| Control::Catalog { changes, reply }).await?;
            self.catalog.remove(path);
            return Ok(());
        }
        let Some(table) = self.tables.get(path) else { return Ok(()) };
        let own = |job: &Arc<Job>| match kind {
            ObjectKind::MaterializedTable => job.spec.kind == JobKind::MaterializedTable,
            _ => job.spec.kind == JobKind::ClientWriter,
        };
        if let Some(reader) = self.jobs.readers(path).first() {
            return Err(in_use(path, "read", &reader.spec.name));
        }
        let (mine, others): (Vec<_>, Vec<_>) = self.jobs.writers(path).into_iter().partition(own);
        if let Some(writer) = others.first() {
            return Err(in_use(path, "written", &writer.spec.name));
        }
        for job in mine {
            self.stop(&job).await?;
            self.jobs.remove(&job.spec.id);
        }
        let changes = self.items_of(path).into_iter().map(|id| Change::Delete { id }).collect();
        self.ask(|reply| Control::Catalog { changes, reply }).await?;
        self.uninstall_table(&table);
        Ok(())
    }

    /// The pipeline that moves clients' rows into a keyed table; it starts with the first of them.
    pub(crate) async fn ensure_client_writer(self: &Arc<Self>, table: &Arc<Table>) -> Result<()> {
        let runs =
            |shared: &Self| shared.jobs.writers(&table.def.path).iter().any(|j| j.spec.kind == JobKind::ClientWriter);
        if table.keyed().is_none() || runs(self) {
            return Ok(());
        }
        let _one = self.ddl.lock().await;
        if runs(self) {
            return Ok(());
        }
        let id = self.new_id();
        let item = CatalogItem {
            id,
            kind: CLIENT_WRITER.into(),
            path: table.def.path.clone(),
            sql: String::new(),
            topic: None,
            partitions: None,
            extra: json!({
                "since": self.since(),
                "job": new_job_id(self.config.clock.now_ms()),
                "started_ms": self.config.clock.now_ms(),
            }),
        };
        let spec = self.client_writer_spec(&item, &table.def);
        self.start(id, spec, vec![Change::Put(item)]).await.map(|_| ())
    }

    pub(crate) fn client_writer_spec(&self, item: &CatalogItem, def: &Arc<TableDef>) -> JobSpec {
        let plan = client_writer_plan(def);
        let name = format!("clients of {}", def.path);
        self.spec_of_item(item, JobKind::ClientWriter, name, plan, vec![def.path.clone()])
    }

    // ---- helpers ---------------------------------------------------------------------------------------

    fn refuse_view_in_use(&self, path: &ObjectPath) -> Result<()> {
        match self.pipeline_over_view(path) {
            Some(job) => Err(Error::user(format!("view '{path}' is read by pipeline '{}'", job.spec.name))
                .with_code(Code::Conflict)
                .with_hint("stop the pipeline first: STOP JOB, or DROP MATERIALIZED TABLE")),
            None => Ok(()),
        }
    }

    fn refuse_temporary(&self, temporary: bool) -> Result<()> {
        if temporary && self.config.mode == Mode::Server {
            return Err(Error::not_supported("a TEMPORARY table or view on a server").with_hint(
                "a server keeps what it has: leave TEMPORARY out and DROP it later; `arus run` has temporary ones",
            ));
        }
        Ok(())
    }

    /// A path that statements may not touch is refused at once; any other failure of a source may pass until it is read.
    pub(crate) fn refuse_outside(&self, def: &TableDef) -> Result<()> {
        if def.kind != TableKind::Connector {
            return Ok(());
        }
        match io::connector_source(self, def, &self.connect).and_then(|source| source.enumerate(&[])) {
            Err(e) if e.code() == Code::PermissionDenied => Err(e),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    pub(crate) fn table_item(&self, id: u64, kind: &str, def: &TableDef, origin: &Origin<'_>) -> CatalogItem {
        let has_topic = def.kind != TableKind::Connector || self.needs_inbox(def);
        let mut extra = json!({"settings": origin.settings});
        if origin.undeclared {
            extra["undeclared"] = json!(true);
        }
        CatalogItem {
            id,
            kind: kind.into(),
            path: def.path.clone(),
            sql: origin.sql.into(),
            topic: has_topic.then_some(id),
            partitions: has_topic.then(|| partitions(def)),
            extra,
        }
    }

    /// Makes the table exist: its topic, its rows, its name. `recovered`: its topic, opened by recovery.
    pub(crate) fn install_table(
        self: &Arc<Self>,
        id: u64,
        def: Arc<TableDef>,
        recovered: Option<Arc<arus_storage::log::Topic>>,
    ) -> Result<Arc<Table>> {
        let topic = || match recovered {
            Some(topic) => Ok(topic),
            None => self.log.create_topic(id, &def.path.to_string(), partitions(&def)),
        };
        let store = match def.kind {
            TableKind::Topic => Store::Topic(topic()?),
            TableKind::Keyed => Store::Keyed { table: Arc::new(keyed_table(&def)), inbox: topic()? },
            TableKind::Connector if self.needs_inbox(&def) => Store::Connector { inbox: Some(topic()?) },
            TableKind::Connector | TableKind::System => Store::Connector { inbox: None },
        };
        let table = Table::new(id, def.clone(), store);
        self.owners.note(id, table.state_uids(), true);
        self.item_ids.lock().expect("no holder of this lock panics").insert(id, def.path.clone());
        self.tables.put(table.clone());
        self.catalog.put(CatalogObject::Table(def));
        Ok(table)
    }

    pub(crate) fn uninstall_table(&self, table: &Arc<Table>) {
        self.tables.remove(&table.def.path);
        self.catalog.remove(&table.def.path);
        // A later statement must not find it in the newest epoch.
        self.published.send_if_modified(|published| {
            let shown = published.tables.contains_key(&table.def.path);
            if shown {
                Arc::make_mut(published).tables.remove(&table.def.path);
            }
            shown
        });
        self.item_ids.lock().expect("no holder of this lock panics").remove(&table.id);
        if let Some(topic) = table.topic().or(table.inbox())
            && let Err(e) = self.log.drop_topic(topic.id())
        {
            tracing::warn!("the files of table '{}' stay until the next start: {e}", table.def.path);
        }
    }

    /// The catalog's items with this path.
    pub(crate) fn items_of(&self, path: &ObjectPath) -> Vec<u64> {
        let ids = self.item_ids.lock().expect("no holder of this lock panics");
        ids.iter().filter(|(_, p)| *p == path).map(|(id, _)| *id).collect()
    }

    /// A job from its item, with uids that no other pipeline has.
    pub(crate) fn spec_of_item(
        &self,
        item: &CatalogItem,
        kind: JobKind,
        name: String,
        mut plan: PhysicalPlan,
        targets: Vec<ObjectPath>,
    ) -> JobSpec {
        let id = item.extra["job"].as_str().unwrap_or_default().to_string();
        for node in &mut plan.nodes {
            node.uid = Uid(xxh3_64(format!("{id} {}", node.uid).as_bytes()));
        }
        let keeps = plan.nodes.iter().any(|node| keeps_state(&node.op));
        self.owners.note(item.id, unique_uids(&plan), keeps);
        self.owners.note(item.id, follow::reader_uids(&plan), false);
        let mut sources: Vec<ObjectPath> = plan.scans().map(|(_, scan)| scan.table.path.clone()).collect();
        sources.sort();
        sources.dedup();
        JobSpec {
            id,
            name,
            kind,
            sql: item.sql.clone(),
            settings: settings_of(item),
            plan,
            targets,
            sources,
            started_ms: item.extra["started_ms"].as_i64().unwrap_or_default(),
            item: Some(item.clone()),
        }
    }
}

/// What a table has before a pipeline writes it.
struct Before {
    ends: Vec<i64>,
    rows: Option<TableSnapshot>,
}

impl Before {
    fn of(table: &Table) -> Self {
        Before {
            ends: table.topic().map_or(vec![], |topic| topic.ends()),
            rows: table.keyed().map(|keyed| keyed.snapshot()),
        }
    }
}

pub(crate) fn settings_of(item: &CatalogItem) -> Settings {
    serde_json::from_value(item.extra["settings"].clone()).unwrap_or_default()
}

pub(crate) fn partitions(def: &TableDef) -> u32 {
    def.option("partitions").and_then(|n| n.parse().ok()).filter(|n| (1..=1024).contains(n)).unwrap_or(1)
}

pub(crate) fn keyed_table(def: &TableDef) -> KeyedTable {
    let mode = if def.hidden_count { TableMode::Counted } else { TableMode::Keyed };
    KeyedTable::new(def.physical_schema(), &def.primary_key, mode)
}

pub(crate) fn in_use(path: &ObjectPath, how: &str, pipeline: &str) -> Error {
    Error::user(format!("table '{path}' is {how} by pipeline '{pipeline}'"))
        .with_code(Code::Conflict)
        .with_hint("stop the pipeline first: STOP JOB, DROP MATERIALIZED TABLE or DROP ALERT")
}

/// 32 hexadecimal digits.
pub(crate) fn new_job_id(now_ms: i64) -> String {
    let mut rng = Rng::from_entropy();
    format!("{:016x}{:016x}", rng.next_u64() ^ now_ms as u64, rng.next_u64())
}

/// Hidden topic -> keyed table, all columns.
fn client_writer_plan(def: &Arc<TableDef>) -> PhysicalPlan {
    let columns: Vec<TableColumn> =
        def.columns.iter().filter(|c| matches!(c.kind, ColumnKind::Physical)).cloned().collect();
    let schema: RowSchema = columns.iter().map(|c| Column { name: c.name.clone(), ty: c.ty.clone() }).collect();
    let inbox = TableDef {
        path: def.path.sibling(format!("{}{INBOX_SUFFIX}", def.path.name)),
        kind: TableKind::Topic,
        columns,
        watermark: None,
        primary_key: vec![],
        query: None,
        ..def.as_ref().clone()
    };
    let output = schema.types().enumerate().map(|(i, ty)| Expr::column(i, ty.clone())).collect();
    let scan = Scan { table: Arc::new(inbox), read: (0..schema.len()).collect(), output, watermark: None };
    let node = |uid: u64, op: Op, inputs: Vec<usize>| Node {
        uid: Uid(uid),
        op,
        inputs,
        schema: schema.clone(),
        mode: ChangelogMode { delete: true, ..ChangelogMode::INSERT_ONLY },
        upsert_keys: vec![],
    };
    let sink = Sink::to(SinkTarget::Table(def.clone()));
    PhysicalPlan {
        version: PLAN_VERSION,
        nodes: vec![node(1, Op::Scan(scan), vec![]), node(2, Op::Sink(sink), vec![0])],
    }
}
