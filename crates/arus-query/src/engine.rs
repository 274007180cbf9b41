//! Plans and runs one query on one snapshot.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use arus_core::catalog::DEFAULT_DATABASE;
use arus_core::error::Code;
use arus_core::platform::{Param, QueryStream};
use arus_core::postgres_time::Zone;
use arus_core::read::Snapshot;
use arus_core::{Error, Result};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::SchemaProvider;
use datafusion::common::ScalarValue;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_pg_catalog::pg_catalog::setup_pg_catalog;
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use datafusion_pg_catalog::sql::rules::{
    AliasDuplicatedProjectionRewrite, FixArrayLiteral, PrependUnqualifiedPgTableName, ResolveUnqualifiedIdentifier,
    RewriteArrayAnyAllOperation, RewritePgCatalogOperator, SqlStatementRewriteRule, StripCallableQualifier,
    StripCollate,
};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::catalog::{CATALOG, PG_CATALOG, PUBLIC, Schemas, SnapshotCatalog, database_of, find_table, schema_of};
use crate::dialect::operators::{Operators, casts};
use crate::errors::{plan_error, point_at, syntax_error};
use crate::names::{self, OutputNames};
use crate::pg::functions;
use crate::pg::model::{INFORMATION_SCHEMA, Model, Oids};
use crate::pg::schemas::{Lazy, SystemSchema, system};
use crate::points::{PointRead, PointReads};
use crate::rewrite::Declared;
use crate::running::Threads;
use crate::{dialect, identifiers, outside, params, rewrite};

/// Gives the newest epoch.
pub trait SnapshotSource: Send + Sync {
    fn latest(&self) -> Arc<dyn Snapshot>;
}

pub enum Params<'a> {
    /// `$1`.., as text.
    Positional(&'a [Param]),
    /// `:name`, as JSON.
    Named(&'a BTreeMap<String, Value>),
}

#[derive(Debug, Clone)]
pub struct QueryShape {
    pub schema: SchemaRef,
    /// The types of `$1`..
    pub params: Vec<DataType>,
}

/// Who asks, and how.
#[derive(Debug, Clone)]
pub struct QuerySession {
    /// Names without a schema are in this database, unless `search_path` says otherwise.
    pub database: String,
    pub user: String,
    /// PostgreSQL's settings that are not as they were.
    pub settings: Arc<HashMap<String, String>>,
}

impl Default for QuerySession {
    fn default() -> Self {
        QuerySession { database: DEFAULT_DATABASE.into(), user: "arus".into(), settings: Arc::default() }
    }
}

impl QuerySession {
    /// Where the session's clock is, unless it is UTC.
    fn zone(&self) -> Option<Zone> {
        self.settings
            .get("TimeZone")
            .filter(|name| !name.eq_ignore_ascii_case("UTC"))
            .and_then(|name| Zone::parse(name))
    }

    /// Schemas that names without one are looked for in.
    fn path(&self) -> Vec<String> {
        let home = schema_of(&self.database).to_string();
        let Some(path) = self.settings.get("search_path") else { return vec![home] };
        let parts = path.split(',').map(|p| p.trim().trim_matches('"').to_string());
        let parts = parts.filter(|p| !p.is_empty() && p != "$user" && p != PG_CATALOG);
        // USE counts as long as the path is as it was.
        let as_it_was = home != PUBLIC && path.replace(' ', "") == "\"$user\",public";
        if as_it_was { vec![home] } else { parts.collect() }
    }
}

/// The columns of a table of `pg_catalog` or `information_schema`, with its schema and name.
type SystemTable = (&'static str, String, SchemaRef);

pub struct QueryEngine {
    state: SessionState,
    /// What operators and casts call, by the clock of UTC.
    operators: Arc<Operators>,
    /// Tables of `pg_catalog` that never change.
    fixed: Arc<dyn SchemaProvider>,
    system: OnceCell<Arc<Vec<SystemTable>>>,
    oids: Arc<Oids>,
    parser: PostgresCompatibilityParser,
    snapshots: Arc<dyn SnapshotSource>,
    points: PointReads,
    threads: Threads,
}

/// A planned query.
struct Planned {
    state: SessionState,
    plan: LogicalPlan,
    names: OutputNames,
}

/// Pieces of psql's and other clients' queries that the planner cannot run, and that are answered in another way.
const REPLACED: [&str; 5] =
    ["pg_policy", "pg_statistic_ext", "pg_publication", "fk.confrelid", "string_to_array(current_setting"];

/// Rules for every query. Another one of pgwire's parser takes subqueries out of SELECT lists: not for tables with rows.
const RULES: [&dyn SqlStatementRewriteRule; 8] = [
    &AliasDuplicatedProjectionRewrite,
    &ResolveUnqualifiedIdentifier,
    &RewriteArrayAnyAllOperation,
    &PrependUnqualifiedPgTableName,
    &FixArrayLiteral,
    &StripCallableQualifier,
    &StripCollate,
    &RewritePgCatalogOperator,
];

impl QueryEngine {
    /// `memory_bytes` is what all queries together may use.
    pub fn new(snapshots: Arc<dyn SnapshotSource>, memory_bytes: usize) -> Result<Self> {
        let mut config = SessionConfig::new()
            .with_default_catalog_and_schema(CATALOG, PUBLIC)
            .with_create_default_catalog_and_schema(false)
            .with_information_schema(false)
            .with_target_partitions(1);
        // Flink's names keep their case.
        config.options_mut().sql_parser.enable_ident_normalization = false;
        config.options_mut().sql_parser.parse_float_as_decimal = true;
        config.options_mut().execution.time_zone = Some("UTC".into());
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(memory_bytes)))
            .build_arc()
            .map_err(plan_error)?;
        let schemas = Arc::new(Schemas::default());
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime)
            .with_default_features()
            .with_catalog_list(Arc::new(SnapshotCatalog::new(snapshots.latest(), schemas.clone())))
            .build();
        let context = SessionContext::new_with_state(state);
        setup_pg_catalog(&context, CATALOG, EmptyContextProvider).map_err(|e| plan_error(*e))?;
        let fixed = schemas.read().ok().and_then(|s| s.get(PG_CATALOG).cloned());
        let fixed = fixed.ok_or_else(|| Error::bug("pg_catalog is missing"))?;
        let mut state = context.state();
        dialect::register(&mut state).map_err(plan_error)?;
        let operators = dialect::register_for(&mut state, Zone::UTC).map_err(plan_error)?;
        Ok(QueryEngine {
            state,
            operators,
            fixed,
            system: OnceCell::new(),
            oids: Arc::default(),
            parser: PostgresCompatibilityParser::new(),
            snapshots,
            points: PointReads::default(),
            threads: Threads::start().map_err(|e| Error::io("start", "the threads of queries", e))?,
        })
    }

    pub fn latest(&self) -> Arc<dyn Snapshot> {
        self.snapshots.latest()
    }

    /// Runs one SELECT; the stream pins the snapshot until it is dropped.
    ///
    /// What is waited for has a name that says nothing of DataFusion: whoever waits need not be compiled against its types.
    pub fn query<'a>(
        &'a self,
        sql: &'a str,
        snapshot: Arc<dyn Snapshot>,
        params: Params<'a>,
    ) -> BoxFuture<'a, Result<QueryStream>> {
        async move { self.run(&QuerySession::default(), sql, snapshot, params).await }.boxed()
    }

    /// The same for a session.
    pub fn query_in<'a>(
        &'a self,
        session: &'a QuerySession,
        sql: &'a str,
        snapshot: Arc<dyn Snapshot>,
        params: Params<'a>,
    ) -> BoxFuture<'a, Result<QueryStream>> {
        self.run(session, sql, snapshot, params).boxed()
    }

    async fn run(
        &self,
        session: &QuerySession,
        sql: &str,
        snapshot: Arc<dyn Snapshot>,
        params: Params<'_>,
    ) -> Result<QueryStream> {
        let (named, declared) = match params {
            Params::Named(_) => (true, vec![]),
            Params::Positional(values) => (false, rewrite::declared(values)),
        };
        if let Params::Positional(values @ [_, ..]) = params
            && let Some(home) = only_home(session, snapshot.as_ref())
            && let Some(read) = self.points.find(sql, &home, &declared)
            && let Some(rows) = read.rows(&snapshot, values)?
        {
            return Ok(rows);
        }
        let Planned { state, plan, names } = self.plan(session, sql, snapshot.clone(), named, &declared).await?;
        let located = |e| point_at(e, sql);
        let plan = match params {
            Params::Positional(values) => params::bind_text(plan, values)?,
            Params::Named(values) => params::bind_named(plan, values)?,
        };
        let plan = state.optimize(&plan).map_err(plan_error).map_err(located)?;
        let physical = state.create_physical_plan(&plan).await.map_err(plan_error).map_err(located)?;
        let schema = names.apply(&physical.schema());
        let stream = self.threads.run(physical, state.task_ctx()).map_err(plan_error)?;
        let cut = snapshot.cut();
        let as_of_ms = snapshot.as_of_ms();
        let shown = schema.clone();
        let batches = stream.map(move |batch| {
            let _pinned = &snapshot;
            batch.and_then(|batch| names::renamed(&batch, &shown)).map_err(plan_error)
        });
        Ok(QueryStream { schema, cut: Some(cut), as_of_ms, batches: batches.boxed() })
    }

    /// The columns and parameters of a SELECT, without running it. `declared`: what the client says of its parameters.
    pub fn describe<'a>(
        &'a self,
        session: &'a QuerySession,
        sql: &'a str,
        snapshot: Arc<dyn Snapshot>,
        declared: &'a [Option<DataType>],
    ) -> BoxFuture<'a, Result<QueryShape>> {
        self.shape(session, sql, snapshot, declared).boxed()
    }

    async fn shape(
        &self,
        session: &QuerySession,
        sql: &str,
        snapshot: Arc<dyn Snapshot>,
        declared: &[Option<DataType>],
    ) -> Result<QueryShape> {
        let declared = declared.to_vec();
        let home = only_home(session, snapshot.as_ref());
        if let Some(home) = &home
            && let Some(read) = self.points.find(sql, home, &declared)
            && let Some(shape) = read.shape(snapshot.as_ref())
        {
            return Ok(shape);
        }
        let Planned { state, plan, names } = self.plan(session, sql, snapshot, false, &declared).await?;
        let planned = plan.clone();
        let params = params::types(&plan, &declared)?;
        let shown = params::named(&params, sql);
        // Types are those of the query with its values, whatever they are.
        let any = |ty| {
            ScalarValue::new_one(ty).or_else(|_| ScalarValue::new_default(ty)).or_else(|_| ScalarValue::try_from(ty))
        };
        let values: Vec<_> = params.iter().map(any).collect::<Result<_, _>>().map_err(plan_error)?;
        let plan = if values.is_empty() { plan } else { plan.with_param_values(values).map_err(plan_error)? };
        let plan = state.optimize(&plan).map_err(plan_error).map_err(|e| point_at(e, sql))?;
        let shape = QueryShape { schema: names.apply(&Arc::new(plan.schema().as_arrow().clone())), params: shown };
        if let Some(home) = &home
            && let Some(read) = PointRead::of(&planned, home, &declared, &shape)
        {
            self.points.keep(sql, read);
        }
        Ok(shape)
    }

    async fn plan(
        &self,
        session: &QuerySession,
        sql: &str,
        snapshot: Arc<dyn Snapshot>,
        named: bool,
        declared: &Declared,
    ) -> Result<Planned> {
        let rewritten;
        let sql = if named {
            rewritten = params::named_to_dollar(sql);
            &rewritten
        } else {
            sql
        };
        let path = session.path();
        let home = home(session, &path, snapshot.as_ref());
        let mut statement = self.parse(sql)?;
        if !matches!(statement, Statement::Query(_)) {
            return Err(Error::user("only SELECT is read in PostgreSQL's dialect").with_code(Code::NotSupported));
        }
        let names = OutputNames::of(&statement);
        rewrite::name_columns(&mut statement);
        rewrite::rewrite(&mut statement, declared, snapshot.as_ref(), &home);
        rewrite::follow_path(&mut statement, &path, &home, |schema, name| {
            find_table(snapshot.as_ref(), schema, name).is_some()
        });
        // Over pg_catalog the planner gets less to plan: a subquery in a SELECT list of its is an expression that nobody has.
        let mut statement = if rewrite::is_of_catalog(&statement) {
            outside::without(&mut statement);
            self.parser.rewrite(statement)
        } else {
            RULES.iter().fold(statement, |statement, rule| rule.rewrite(statement))
        };
        identifiers::match_column_case(&mut statement, snapshot.as_ref(), &home);
        let called = rewrite::called(&statement);
        let mut state = self.state_of(session, snapshot, path, &home, &called).await?;
        let operators = match session.zone() {
            Some(zone) => dialect::register_for(&mut state, zone).map_err(plan_error)?,
            None => self.operators.clone(),
        };
        let statement = DfStatement::Statement(Box::new(statement));
        let plan = state.statement_to_plan(statement).await.map_err(|e| point_at(plan_error(e), sql))?;
        let plan = casts(params::infer(plan)?, &operators).map_err(plan_error)?;
        Ok(Planned { state, plan, names })
    }

    fn parse(&self, sql: &str) -> Result<Statement> {
        let mut statements = if REPLACED.iter().any(|piece| sql.contains(piece)) {
            self.parser.parse(sql)
        } else {
            let dialect = PostgreSqlDialect {};
            Parser::new(&dialect).try_with_sql(sql).and_then(|mut parser| parser.parse_statements())
        }
        .map_err(|e| syntax_error(&e.to_string(), sql))?;
        match (statements.pop(), statements.is_empty()) {
            (Some(statement), true) => Ok(statement),
            _ => Err(Error::user("expected one statement").with_code(Code::Syntax)),
        }
    }

    /// The planner's state with this query's tables and functions.
    async fn state_of(
        &self,
        session: &QuerySession,
        snapshot: Arc<dyn Snapshot>,
        path: Vec<String>,
        home: &str,
        called: &HashSet<String>,
    ) -> Result<SessionState> {
        let known = self.system.get_or_try_init(async || system(self.fixed.as_ref()).await.map(Arc::new));
        let known = known.await.map_err(plan_error)?.clone();
        let (oids, pinned) = (self.oids.clone(), snapshot.clone());
        let (user, settings) = (session.user.clone(), session.settings.clone());
        let make = move || Model::new(pinned.as_ref(), &oids, &known, path.clone(), user.clone(), settings.clone());
        let model = Arc::new(Lazy { make: Box::new(make), made: OnceLock::new() });
        let schemas = Schemas::default();
        if let Ok(mut schemas) = schemas.write() {
            for (name, fixed) in [(PG_CATALOG, Some(self.fixed.clone())), (INFORMATION_SCHEMA, None)] {
                schemas.insert(name.into(), Arc::new(SystemSchema { name, model: model.clone(), fixed }));
            }
        }
        let catalog = Arc::new(SnapshotCatalog::new(snapshot, Arc::new(schemas)));
        // Building a state anew costs more than planning a small query.
        let mut state = self.state.clone();
        state.config_mut().options_mut().catalog.default_schema = home.into();
        state.register_catalog_list(catalog);
        for function in functions::of(&model, called) {
            state.register_udf(Arc::new(function)).map_err(plan_error)?;
        }
        Ok(state)
    }
}

/// The first schema of the path that there is.
fn home(session: &QuerySession, path: &[String], snapshot: &dyn Snapshot) -> String {
    let exists = |s: &&String| snapshot.databases().iter().any(|d| d == database_of(s));
    path.iter().find(exists).cloned().unwrap_or_else(|| schema_of(&session.database).to_string())
}

/// The schema of names without one, where no other is looked into.
fn only_home(session: &QuerySession, snapshot: &dyn Snapshot) -> Option<String> {
    let path = session.path();
    (path.len() == 1).then(|| home(session, &path, snapshot))
}

#[cfg(test)]
mod tests;
