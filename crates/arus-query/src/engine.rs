//! Plans and runs one query on one snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use arus_core::catalog::DEFAULT_DATABASE;
use arus_core::error::Code;
use arus_core::platform::QueryStream;
use arus_core::read::Snapshot;
use arus_core::{Error, Result};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::SessionState;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::Statement;
use datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_pg_catalog::pg_catalog::{PgCatalogSchemaProvider, PgCatalogStaticTables, setup_pg_catalog};
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use serde_json::Value;

use crate::catalog::{CATALOG, LiveCatalogInfo, PG_CATALOG, PUBLIC, Schemas, SnapshotCatalog, schema_of};
use crate::errors::{plan_error, point_at, syntax_error};
use crate::postgres::{self, OutputNames};
use crate::{identifiers, params};

/// Gives the newest epoch.
pub trait SnapshotSource: Send + Sync {
    fn latest(&self) -> Arc<dyn Snapshot>;
}

pub enum Params<'a> {
    /// `$1`.., as text.
    Positional(&'a [Option<String>]),
    /// `:name`, as JSON.
    Named(&'a BTreeMap<String, Value>),
}

#[derive(Debug, Clone)]
pub struct QueryShape {
    pub schema: SchemaRef,
    pub params: usize,
}

pub struct QueryEngine {
    state: SessionState,
    schemas: Arc<Schemas>,
    parser: PostgresCompatibilityParser,
    snapshots: Arc<dyn SnapshotSource>,
}

impl QueryEngine {
    /// `memory_bytes` is what all queries together may use.
    pub fn new(snapshots: Arc<dyn SnapshotSource>, memory_bytes: usize) -> Result<Self> {
        let mut config = SessionConfig::new()
            .with_default_catalog_and_schema(CATALOG, PUBLIC)
            .with_create_default_catalog_and_schema(false)
            .with_information_schema(true)
            .with_target_partitions(1);
        // Flink's names keep their case.
        config.options_mut().sql_parser.enable_ident_normalization = false;
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
        context.register_udf(postgres::version());
        // The provider of setup_pg_catalog would show the snapshot of the start for ever: ours shows the newest.
        let tables = Arc::new(PgCatalogStaticTables::try_new().map_err(plan_error)?);
        let live = PgCatalogSchemaProvider::try_new(LiveCatalogInfo(snapshots.clone()), tables, EmptyContextProvider)
            .map_err(plan_error)?;
        context
            .catalog(CATALOG)
            .ok_or_else(|| Error::bug("the catalog of queries is missing"))?
            .register_schema(PG_CATALOG, Arc::new(live))
            .map_err(plan_error)?;
        Ok(QueryEngine { state: context.state(), schemas, parser: PostgresCompatibilityParser::new(), snapshots })
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
        self.query_in(DEFAULT_DATABASE, sql, snapshot, params)
    }

    /// The same with names without a schema in this database.
    pub fn query_in<'a>(
        &'a self,
        database: &'a str,
        sql: &'a str,
        snapshot: Arc<dyn Snapshot>,
        params: Params<'a>,
    ) -> BoxFuture<'a, Result<QueryStream>> {
        self.run(database, sql, snapshot, params).boxed()
    }

    async fn run(
        &self,
        database: &str,
        sql: &str,
        snapshot: Arc<dyn Snapshot>,
        params: Params<'_>,
    ) -> Result<QueryStream> {
        let named = matches!(params, Params::Named(_));
        let (state, plan, names) = self.plan(database, sql, snapshot.clone(), named).await?;
        let plan = match params {
            Params::Positional([]) => plan,
            Params::Positional(values) => params::bind_text(plan, values)?,
            Params::Named(values) => params::bind_named(plan, values)?,
        };
        let physical = state.create_physical_plan(&plan).await.map_err(plan_error)?;
        let schema = names.apply(&physical.schema());
        let stream = execute_stream(physical, state.task_ctx()).map_err(plan_error)?;
        let cut = snapshot.cut();
        let as_of_ms = snapshot.as_of_ms();
        let shown = schema.clone();
        let batches = stream.map(move |batch| {
            let _pinned = &snapshot;
            batch.and_then(|batch| postgres::renamed(&batch, &shown)).map_err(plan_error)
        });
        Ok(QueryStream { schema, cut: Some(cut), as_of_ms, batches: batches.boxed() })
    }

    /// The columns of a SELECT, without running it.
    pub fn describe<'a>(
        &'a self,
        database: &'a str,
        sql: &'a str,
        snapshot: Arc<dyn Snapshot>,
    ) -> BoxFuture<'a, Result<QueryShape>> {
        let shape = async move {
            let (_, plan, names) = self.plan(database, sql, snapshot, false).await?;
            let params = plan.get_parameter_types().map_err(plan_error)?.len();
            Ok(QueryShape { schema: names.apply(&Arc::new(plan.schema().as_arrow().clone())), params })
        };
        shape.boxed()
    }

    async fn plan(
        &self,
        database: &str,
        sql: &str,
        snapshot: Arc<dyn Snapshot>,
        named: bool,
    ) -> Result<(SessionState, LogicalPlan, OutputNames)> {
        let rewritten;
        let sql = if named {
            rewritten = params::named_to_dollar(sql);
            &rewritten
        } else {
            sql
        };
        let mut statements = self.parser.parse(sql).map_err(|e| syntax_error(&e.to_string()))?;
        let mut statement = match (statements.pop(), statements.is_empty()) {
            (Some(statement), true) => statement,
            _ => return Err(Error::user("expected one statement").with_code(Code::Syntax)),
        };
        if !matches!(statement, Statement::Query(_)) {
            return Err(Error::user("only SELECT is read in PostgreSQL's dialect").with_code(Code::NotSupported));
        }
        identifiers::match_column_case(&mut statement, snapshot.as_ref(), schema_of(database));
        postgres::keep_to_search_path(&mut statement);
        let names = OutputNames::of(&statement);
        let catalog = Arc::new(SnapshotCatalog::new(snapshot, self.schemas.clone()));
        // Building a state anew costs more than planning a small query.
        let mut state = self.state.clone();
        state.config_mut().options_mut().catalog.default_schema = schema_of(database).into();
        state.register_catalog_list(catalog);
        let statement = DfStatement::Statement(Box::new(statement));
        let plan = state.statement_to_plan(statement).await.map_err(|e| point_at(plan_error(e), sql))?;
        let plan = state.optimize(&plan).map_err(plan_error)?;
        Ok((state, plan, names))
    }
}

#[cfg(test)]
mod tests;
