//! One connection's statements: parsed, planned, done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arus_core::catalog::ObjectPath;
use arus_core::change::arrow_bug;
use arus_core::error::Code;
use arus_core::platform::{
    Done, Door, Param, QueryStream, Session, StatementOutput, StatementShape, StreamEvent, Suggestions,
};
use arus_core::read::Snapshot;
use arus_core::settings::{CATALOG, DATABASE, DIALECT, DML_SYNC, READ_DAMAGE, Settings};
use arus_core::{ChangeBatch, Error, Result, RowSchema};
use arus_query::{Params, QuerySession};
use arus_sql::Planned;
use arus_sql::access::is_access_statement;
use arus_sql::parser::{Cut as TextCut, cut_statement};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use crate::access::{Action, Who};
use crate::alerts::{ALERT_COLUMNS, BACKTEST_COLUMNS, IfThere};
use crate::alter::in_database_of;
use crate::bounded;
use crate::config::Mode;
use crate::ddl::Origin;
use crate::engine::Engine;
use crate::explain;
use crate::ingest::Written;
use crate::jobs::{JobKind, JobStatus};
use crate::parameters::Parameters;
use crate::permitted::{Permitted, PermittedSnapshot, PermittedStatement, while_permitted};
use crate::snapshot::EngineSnapshot;
use crate::users::{self, Told};
use crate::{analyze, why};

/// A read waits for at most so long for the epoch that holds what its session wrote.
const READ_OWN_WRITES: Duration = Duration::from_secs(10);
/// So long it waits for pipelines to count those rows, too. The first read of a session does so for whatever anybody was told is written: who posts a row with one
/// program and asks with the next one finds it. Later reads do not, so that point reads beside a stream take no epoch's time each.
const PIPELINES_PATIENCE: Duration = Duration::from_millis(250);
/// Batches between a bounded pipeline and its reader.
const READ_AHEAD: usize = 4;

pub(crate) struct EngineSession {
    engine: Arc<Engine>,
    door: Door,
    who: Who,
    pub(crate) settings: Settings,
    pinned: bool,
    snapshot: Option<Arc<EngineSnapshot>>,
    /// What this session wrote: a later read sees it.
    written: Vec<Written>,
    /// A client's session that has not read yet.
    fresh: bool,
    /// Names of jobs that this session started and whose end it waits for.
    pub(crate) jobs: Vec<String>,
    /// What a Postgres client has set.
    client: Arc<HashMap<String, String>>,
}

impl EngineSession {
    /// The server's own.
    pub(crate) fn new(engine: Arc<Engine>, door: Door) -> Self {
        EngineSession { fresh: false, ..Self::of(engine, door, Who::Engine) }
    }

    pub(crate) fn of(engine: Arc<Engine>, door: Door, who: Who) -> Self {
        EngineSession {
            engine,
            door,
            who,
            settings: Settings::default(),
            pinned: false,
            snapshot: None,
            written: vec![],
            fresh: true,
            jobs: vec![],
            client: Arc::default(),
        }
    }

    /// Who asks, for a query in PostgreSQL's dialect.
    fn reader(&self) -> QuerySession {
        QuerySession {
            database: self.settings.get(DATABASE).into(),
            settings: self.client.clone(),
            ..QuerySession::default()
        }
    }

    /// The epoch that this read sees: the pinned one, else the newest, with this session's own writes.
    async fn read_snapshot(&mut self) -> Result<Arc<EngineSnapshot>> {
        if let Some(snapshot) = &self.snapshot {
            return Ok(snapshot.clone());
        }
        let shared = &self.engine.shared;
        let mut published = shared.published.subscribe();
        let written = std::mem::take(&mut self.written);
        let mut counted = written.clone();
        if std::mem::take(&mut self.fresh) {
            let tables: Vec<_> = published.borrow().tables.values().map(|found| found.table.clone()).collect();
            let of_clients = tables.iter().filter(|table| !table.is_written_by_pipeline());
            counted.extend(of_clients.flat_map(|table| shared.acknowledged(&table.def.path)));
        }
        let all_count = published.wait_for(|p| counted.iter().all(|written| p.counts(written)));
        // A pipeline that is behind for longer holds no reader.
        let _behind = tokio::time::timeout(PIPELINES_PATIENCE, all_count).await.is_err();
        let covered = published.wait_for(|p| written.iter().all(|written| p.covers(written)));
        let published = match tokio::time::timeout(READ_OWN_WRITES, covered).await {
            Ok(Ok(published)) => published.clone(),
            Ok(Err(_)) => return Err(Error::external("the server is stopping")),
            Err(_) => {
                return Err(Error::external(
                    "rows that were written before this statement are durable but not readable yet",
                )
                .with_hint("a pipeline is behind; read arus.pipelines"));
            }
        };
        let skip_damage = self.settings.get(READ_DAMAGE) == "skip";
        let snapshot = Arc::new(EngineSnapshot { shared: shared.clone(), published, skip_damage });
        if self.pinned {
            self.snapshot = Some(snapshot.clone());
        }
        Ok(snapshot)
    }

    fn plan(&self, statement: &str, batch_snapshot: bool) -> Result<PermittedStatement> {
        self.engine.shared.plan_for(&self.who, statement, &self.settings, batch_snapshot)
    }

    /// The parameters of a statement that writes rows.
    fn parameters(&self, statement: &str) -> Option<Parameters> {
        let postgres = self.door == Door::Postgres;
        postgres.then(|| Parameters::of(statement, &self.engine.shared.catalog, self.settings.get(DATABASE)))?
    }

    async fn permitted_snapshot(&mut self) -> Result<Arc<PermittedSnapshot>> {
        self.engine.shared.authorize(&self.who, Action::Stay)?;
        let snapshot = self.read_snapshot().await?;
        Ok(PermittedSnapshot::new(snapshot, &self.engine.shared, &self.who))
    }

    /// Plans a statement of Flink's dialect and does it.
    async fn run(&mut self, statement: &str) -> Result<StatementOutput> {
        let shared = self.engine.shared.clone();
        let planned = self.plan(statement, shared.config.mode == Mode::Server && is_query(statement))?.planned;
        let notices = planned.notices;
        let settings = self.settings.clone();
        let origin = Origin { sql: statement, settings: &settings, undeclared: false };
        let done = |tag: &str| Done { tag: tag.into(), job: None, notices: vec![] };
        let mut outcome = match planned.planned {
            Planned::CreateTable { table, sql, .. } => {
                let sql = sql.as_deref().unwrap_or(statement);
                shared.create_table(table, Origin { sql, ..origin }).await?;
                done("CREATE TABLE")
            }
            Planned::CreateTableAs { table, replace, sql, insert, plan, .. } => {
                let path = table.path.clone();
                let table_settings = in_database_of(&settings, &path);
                let made = Origin { sql: &sql, settings: &table_settings, undeclared: false };
                let filled = Origin { sql: &insert, settings: &settings, undeclared: false };
                let job = shared.create_table_as(table, replace, made, plan, filled).await?;
                self.started(&job).await?;
                Done { job: Some(job), ..done("CREATE TABLE AS") }
            }
            Planned::AlterTable { old, table, sql } => {
                let renamed = (old != table.path).then(|| (old.clone(), table.path.clone()));
                shared.alter_table(old, table, &sql, origin).await?;
                self.rename_rights(renamed).await?;
                done("ALTER TABLE")
            }
            Planned::AlterView { old, view, sql } => {
                let renamed = (old != view.path).then(|| (old.clone(), view.path.clone()));
                shared.alter_view(old, view, &sql, origin).await?;
                self.rename_rights(renamed).await?;
                done("ALTER VIEW")
            }
            Planned::AlterPartitions { table, add, partitions } => {
                shared.alter_partitions(&table, add, partitions)?;
                done("ALTER TABLE")
            }
            Planned::PutCatalog(def) => {
                shared.put_catalog(def)?;
                done("CREATE CATALOG")
            }
            Planned::DropCatalog { name } => {
                shared.drop_catalog(&name);
                done("DROP CATALOG")
            }
            Planned::PutDatabase(def) => {
                shared.put_database(def).await?;
                done("CREATE DATABASE")
            }
            Planned::DropDatabase { catalog, name, objects } => {
                shared.drop_database(&catalog, &name, &objects).await?;
                shared.forget_dropped().await?;
                done("DROP DATABASE")
            }
            Planned::UseDatabase { catalog, name } => {
                self.settings.set(CATALOG, catalog);
                self.settings.set(DATABASE, name);
                done("USE")
            }
            Planned::CreateView { view, replace, .. } => {
                shared.create_view(view, replace, origin).await?;
                done("CREATE VIEW")
            }
            Planned::CreateMaterializedTable { table, plan } => {
                let job = shared.create_materialized(table, plan, origin).await?;
                Done { job: Some(job), ..done("CREATE MATERIALIZED TABLE") }
            }
            Planned::Drop { kind, path, .. } => {
                shared.drop_object(kind, &path).await?;
                shared.forget_dropped().await?;
                done(&format!("DROP {}", kind.as_str()))
            }
            Planned::Insert { plan, target } => {
                let job = shared.start_job(JobKind::Insert, plan, vec![target], origin).await?;
                self.started(&job).await?;
                Done { job: Some(job), ..done("INSERT 0 0") }
            }
            Planned::InsertValues { table, plan, .. } => {
                let clients_write = shared.tables.get(&table.path).is_some_and(|t| t.inbox().is_some());
                if clients_write && shared.config.mode == Mode::Server {
                    let (count, written) = shared.insert_values(&table.path, &plan, &settings).await?;
                    self.written.extend(written);
                    done(&format!("INSERT 0 {count}"))
                } else {
                    let job = shared.start_job(JobKind::Insert, plan, vec![table.path.clone()], origin).await?;
                    self.started(&job).await?;
                    Done { job: Some(job), ..done("INSERT 0 0") }
                }
            }
            Planned::StatementSet { plan, targets } => {
                let job = shared.start_job(JobKind::StatementSet, plan, targets, origin).await?;
                self.started(&job).await?;
                Done { job: Some(job), ..done("STATEMENT SET") }
            }
            Planned::Select { plan, .. } if shared.config.mode == Mode::Run => {
                let job = shared.start_job(JobKind::Select, plan, vec![], origin).await?;
                self.wait_for(&job).await?;
                Done { job: Some(job), ..done("SELECT") }
            }
            Planned::Select { plan, schema } => return self.select(plan, &schema).await.map(StatementOutput::Rows),
            Planned::Rows { columns, mut rows } => {
                if let (Some(note), Some(Some(text))) =
                    (explain::inbox_note(&shared, statement, &settings), rows.first_mut().and_then(|r| r.first_mut()))
                {
                    text.push_str(&note);
                }
                return text_rows(&columns, &rows).map(StatementOutput::Rows);
            }
            Planned::Set { key, value } => {
                self.settings.set(key, value);
                done("SET")
            }
            Planned::Reset { key } => {
                match key {
                    Some(key) => self.settings.reset(&key),
                    None => self.settings.reset_all(),
                }
                done("RESET")
            }
            planned @ (Planned::ShowJobs
            | Planned::DescribeJob { .. }
            | Planned::ExplainWhy { .. }
            | Planned::ExplainAnalyze { .. }) => return self.told(&planned).map(StatementOutput::Rows),
            Planned::StopJob { id, with_drain, .. } => {
                shared.stop_job(&id, with_drain).await?;
                done("STOP JOB")
            }
            Planned::Replay { table, late, condition } => {
                shared.replay(&table, late, condition, &settings).await?.done()
            }
            Planned::AlterMaterialized { path, change } => {
                let told = shared.alter_materialized(&path, change, origin).await?;
                Done { notices: told, ..done("ALTER MATERIALIZED TABLE") }
            }
            Planned::Change { table, delete, plan, tag } => {
                // It changes what anybody has been told is written, not only this session.
                self.written.extend(shared.acknowledged(&table.path));
                let published = self.read_snapshot().await?.published.clone();
                let (count, written) = shared.change_rows(&table, delete, plan, published, &settings).await?;
                self.written.extend(written);
                done(&format!("{tag} {count}"))
            }
            Planned::Nothing => done("OK"),
            of_alerts => match self.alert_statement(of_alerts, origin).await? {
                StatementOutput::Done(done) => done,
                rows => return Ok(rows),
            },
        };
        outcome.notices.splice(0..0, notices);
        Ok(StatementOutput::Done(outcome))
    }

    async fn alert_statement(&mut self, planned: Planned, origin: Origin<'_>) -> Result<StatementOutput> {
        let shared = self.engine.shared.clone();
        let done = |tag: &str| Done { tag: tag.into(), job: None, notices: vec![] };
        Ok(StatementOutput::Done(match planned {
            Planned::CreateAlert { def, plan, if_not_exists, replace } => {
                let if_there = match (replace, if_not_exists) {
                    (true, _) => IfThere::Replace,
                    (false, true) => IfThere::Leave,
                    (false, false) => IfThere::Refuse,
                };
                let made = shared.create_alert(*def, plan, if_there, origin).await?;
                Done { job: made.job, notices: made.notices, ..done("CREATE ALERT") }
            }
            Planned::AlterAlert { path, change } => {
                // It writes the alert's file.
                let altered = tokio::task::spawn_blocking(move || shared.alter_alert(&path, change));
                let notices = altered.await.map_err(|e| Error::bug(format!("ALTER ALERT: {e}")))??;
                Done { notices, ..done("ALTER ALERT") }
            }
            Planned::DropAlert { path, if_exists } => {
                shared.drop_alert(&path, if_exists).await?;
                done("DROP ALERT")
            }
            Planned::ShowCreateAlert { path } => {
                let rows = vec![vec![Some(shared.show_create_alert(&path)?)]];
                return text_rows(&RESULT_COLUMNS, &rows).map(StatementOutput::Rows);
            }
            Planned::ExplainAlert { path, last_ms } => {
                let published = self.read_snapshot().await?.published.clone();
                let tested = tokio::task::spawn_blocking(move || shared.backtest(&path, last_ms, &published));
                let rows = tested.await.map_err(|e| Error::bug(format!("a backtest: {e}")))??;
                return text_rows(&BACKTEST_COLUMNS, &rows).map(StatementOutput::Rows);
            }
            Planned::ShowAlerts => {
                return text_rows(&ALERT_COLUMNS, &shared.show_alerts()).map(StatementOutput::Rows);
            }
            other => return Err(Error::bug(format!("a statement that nobody does: {other:?}"))),
        }))
    }

    async fn rename_rights(&self, renamed: Option<(ObjectPath, ObjectPath)>) -> Result<()> {
        let Some((old, new)) = renamed else { return Ok(()) };
        let change = |directory: &mut arus_access::Directory| {
            directory.rename(&old, &new);
            Ok(())
        };
        self.engine.shared.change_access(change).await
    }

    /// A job runs: whether the statement waits for its end says `table.dml-sync`.
    async fn started(&mut self, job: &str) -> Result<()> {
        if self.settings.flag(DML_SYNC)? {
            return self.wait_for(job).await;
        }
        self.jobs.push(job.to_string());
        Ok(())
    }

    pub(crate) async fn wait_for(&self, job: &str) -> Result<()> {
        let Some(job) = self.engine.shared.jobs.get(job) else { return Ok(()) };
        match job.ended().await {
            JobStatus::Failed(reason) => Err(Error::data(format!("job '{}' has failed: {reason}", job.spec.name))),
            _ => Ok(()),
        }
    }

    /// The rows of a SELECT in Flink's dialect over one epoch.
    async fn select(&mut self, plan: arus_core::plan::PhysicalPlan, schema: &RowSchema) -> Result<QueryStream> {
        let snapshot = self.read_snapshot().await?;
        let shared = self.engine.shared.clone();
        let published = snapshot.published.clone();
        let settings = self.settings.clone();
        let (cut, as_of_ms) = (snapshot.cut(), snapshot.as_of_ms());
        let (sender, receiver) = tokio::sync::mpsc::channel(READ_AHEAD);
        tokio::task::spawn_blocking(move || {
            let batches = match bounded::rows(&shared, &published, &plan, &settings) {
                Ok(batches) => batches,
                Err(e) => Box::new(std::iter::once(Err(e))),
            };
            for batch in batches {
                // The reader has gone: so does the query.
                let gone = match &batch {
                    Ok(batch) if batch.num_rows() == 0 => sender.is_closed(),
                    _ => sender.blocking_send(batch).is_err(),
                };
                if gone {
                    return;
                }
            }
        });
        let batches = stream::unfold(receiver, |mut r| async move { r.recv().await.map(|b| (b, r)) }).boxed();
        Ok(QueryStream { schema: schema.to_arrow(), cut: Some(cut), as_of_ms, batches })
    }

    /// What is known of pipelines right now.
    fn told(&self, planned: &Planned) -> Result<QueryStream> {
        let shared = &self.engine.shared;
        match planned {
            Planned::DescribeJob { id } => text_rows(&JOB_COLUMNS, &self.job_rows(Some(id))),
            Planned::ExplainWhy { table } => {
                let rows: Vec<_> = why::of_table(shared, table).into_iter().map(|line| vec![Some(line)]).collect();
                text_rows(&WHY_COLUMNS, &rows)
            }
            Planned::ExplainAnalyze { job } => text_rows(&analyze::COLUMNS, &analyze::analyze(shared, job)?),
            _ => text_rows(&JOB_COLUMNS, &self.job_rows(None)),
        }
    }

    fn job_rows(&self, only: Option<&str>) -> Vec<Vec<Option<String>>> {
        let jobs = self.engine.shared.jobs.all();
        let shown =
            jobs.iter().filter(|j| j.spec.kind != JobKind::ClientWriter && only.is_none_or(|id| id == j.spec.id));
        shown
            .map(|job| {
                let mut started = String::new();
                arus_core::text::write_timestamp_ltz_print(&mut started, job.spec.started_ms, 3);
                let status = job.status();
                vec![
                    Some(job.spec.id.clone()),
                    Some(job.spec.name.clone()),
                    Some(status.name().to_uppercase()),
                    Some(started),
                ]
            })
            .collect()
    }
}

const WHY_COLUMNS: [&str; 1] = ["why"];
const RESULT_COLUMNS: [&str; 1] = ["result"];
const JOB_COLUMNS: [&str; 4] = ["job id", "job name", "status", "start time"];

/// Whether the statement only reads, by its first word.
pub(crate) fn is_query(statement: &str) -> bool {
    let text = skip_comments(statement);
    let word: String = text.chars().take_while(|c| c.is_ascii_alphabetic()).collect();
    text.starts_with('(') || ["SELECT", "WITH", "VALUES"].iter().any(|w| word.eq_ignore_ascii_case(w))
}

fn skip_comments(text: &str) -> &str {
    let mut text = text.trim_start();
    loop {
        if let Some(rest) = text.strip_prefix("--") {
            text = rest.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
        } else if let Some(rest) = text.strip_prefix("/*").filter(|r| !r.starts_with('+')) {
            text = rest.split_once("*/").map_or("", |(_, rest)| rest).trim_start();
        } else {
            return text;
        }
    }
}

fn text_schema(columns: &[&str]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|c| Field::new(*c, DataType::Utf8, true)).collect::<Vec<_>>()))
}

fn text_rows(columns: &[&str], rows: &[Vec<Option<String>>]) -> Result<QueryStream> {
    let schema = text_schema(columns);
    let arrays = (0..columns.len())
        .map(|i| Arc::new(rows.iter().map(|r| r[i].as_deref()).collect::<StringArray>()) as ArrayRef)
        .collect();
    let batch = RecordBatch::try_new(schema.clone(), arrays).map_err(arrow_bug)?;
    Ok(QueryStream { schema, cut: None, as_of_ms: 0, batches: stream::iter([Ok(batch)]).boxed() })
}

#[async_trait]
impl Session for EngineSession {
    fn cut_statement<'a>(&self, text: &'a str) -> Result<Option<(&'a str, &'a str)>> {
        Ok(match cut_statement(text) {
            TextCut::Blank => Some(("", "")),
            TextCut::Complete { end } => {
                let (statement, rest) = text.split_at(end);
                Some((statement.trim_end().trim_end_matches(';'), rest))
            }
            TextCut::Incomplete { open: true } => None,
            TextCut::Incomplete { open: false } => Some((text, "")),
        })
    }

    async fn execute(&mut self, statement: &str, params: &[Param]) -> Result<StatementOutput> {
        if is_access_statement(statement) && params.is_empty() {
            let told = self.engine.shared.access_statement(&self.who, &self.settings, statement).await?;
            return Ok(match told {
                Told::Done(done) => StatementOutput::Done(done),
                Told::Rows(columns, rows) => StatementOutput::Rows(text_rows(columns, &rows)?),
            });
        }
        if self.is_postgres_query(statement) {
            let snapshot = self.permitted_snapshot().await?;
            let query = self.engine.query_engine()?;
            let rows = query.query_in(&self.reader(), statement, snapshot.clone(), Params::Positional(params)).await;
            return rows.map(StatementOutput::Rows).map_err(|e| snapshot.explain(e));
        }
        let Some(parameters) = self.parameters(statement) else {
            if params.is_empty() {
                return self.run(statement).await;
            }
            let what = "parameters in another statement than SELECT, INSERT, UPDATE and DELETE";
            return Err(Error::not_supported(what).with_code(Code::NotSupported));
        };
        let bound = match parameters.bind(params) {
            Ok(bound) => bound,
            Err(error) => {
                self.plan(&parameters.nulls()?.text, false)?;
                return Err(error);
            }
        };
        self.run(&bound.text).await.map_err(|e| bound.placed(e))
    }

    async fn describe(&mut self, statement: &str, types: &[Option<DataType>]) -> Result<StatementShape> {
        if is_access_statement(statement) {
            return Ok(StatementShape { schema: users::columns(statement)?.map(text_schema), params: vec![] });
        }
        if self.is_postgres_query(statement) {
            let snapshot = self.permitted_snapshot().await?;
            let query = self.engine.query_engine()?;
            let shape = query.describe(&self.reader(), statement, snapshot.clone(), types).await;
            let shape = shape.map_err(|e| snapshot.explain(e))?;
            return Ok(StatementShape { schema: Some(shape.schema), params: shape.params });
        }
        if let Some(parameters) = self.parameters(statement) {
            let bound = parameters.nulls()?;
            self.plan(&bound.text, false).map_err(|e| bound.placed(e))?;
            return Ok(StatementShape { schema: None, params: parameters.types(types) });
        }
        let planned = self.plan(statement, is_query(statement))?.planned;
        let schema = match planned.planned {
            Planned::Rows { columns, .. } => Some(text_schema(&columns)),
            Planned::ShowJobs | Planned::DescribeJob { .. } => Some(text_schema(&JOB_COLUMNS)),
            Planned::ExplainWhy { .. } => Some(text_schema(&WHY_COLUMNS)),
            Planned::ExplainAnalyze { .. } => Some(text_schema(&analyze::COLUMNS)),
            Planned::ShowAlerts => Some(text_schema(&ALERT_COLUMNS)),
            Planned::ShowCreateAlert { .. } => Some(text_schema(&RESULT_COLUMNS)),
            Planned::ExplainAlert { .. } => Some(text_schema(&BACKTEST_COLUMNS)),
            Planned::Select { schema, .. } => Some(schema.to_arrow()),
            _ => None,
        };
        Ok(StatementShape { schema, params: vec![] })
    }

    fn client_setting(&mut self, name: &str, value: &str) {
        Arc::make_mut(&mut self.client).insert(name.into(), value.into());
    }

    async fn stream(&mut self, statement: &str) -> Result<(RowSchema, BoxStream<'static, Result<StreamEvent>>)> {
        let shared = self.engine.shared.clone();
        let only_select = || Error::user("only SELECT gives a stream").with_code(Code::NotSupported);
        let PermittedStatement { planned, read } = match self.plan(statement, false) {
            Err(e) if e.code() == Code::NotSupported => match self.plan(statement, true) {
                // What has no changes to follow is shown as it is now.
                Ok(planned) => {
                    let Planned::Select { plan, schema } = planned.planned.planned else { return Err(only_select()) };
                    let rows = self.select(plan, &schema).await?.batches;
                    let rows = rows.map(|batch| batch.map(|b| StreamEvent::Changes(ChangeBatch::inserts(b))));
                    let note = StreamEvent::Note(format!("shown as of now: {e}"));
                    return Ok((schema, stream::iter([Ok(note)]).chain(rows).boxed()));
                }
                Err(_) => return Err(e),
            },
            planned => planned?,
        };
        let Planned::Select { plan, schema } = planned.planned else { return Err(only_select()) };
        let changes = crate::changes::stream_select(&shared, plan, &self.settings)?;
        Ok((schema, while_permitted(&shared, &self.who, read, changes)))
    }

    async fn settle(&mut self) -> Result<()> {
        if self.written.is_empty() {
            return Ok(());
        }
        self.read_snapshot().await.map(drop)
    }

    fn suggest(&self, before: &str, after: &str) -> Suggestions {
        let shared = &self.engine.shared;
        let permitted = Permitted::new(shared, &self.who);
        shared.with_planner(&permitted, &self.settings, false, |planner| arus_sql::suggest(planner, before, after))
    }

    fn pin(&mut self, pinned: bool) {
        self.pinned = pinned;
        self.snapshot = None;
    }

    fn is_postgres_query(&self, statement: &str) -> bool {
        let postgres = match self.settings.get(DIALECT) {
            "flink" => false,
            "postgresql" => true,
            _ => self.door != Door::Http,
        };
        postgres && is_query(statement)
    }
}
