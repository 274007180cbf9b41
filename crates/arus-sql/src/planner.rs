//! One statement to what is to be done: the public face of binder, passes and physical plan.

mod alert;
pub(crate) mod ddl;

use std::sync::Arc;

use arus_core::catalog::{
    Catalog, CatalogDef, ConnectorCatalog, DatabaseDef, ObjectPath, PartitionSpec, TableDef, ViewDef,
};
use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::function::{Evaluator, FunctionCatalog};
use arus_core::plan::{ChangelogMode, Op, PhysicalPlan, SinkTarget};
use arus_core::schema::RowSchema;
use arus_core::settings::Settings;
use arus_core::{Datum, Error, Result};

pub use alert::AlertChange;

use crate::alert::AlertDef;
use crate::ast::{
    CreateMaterializedTable, DescribeTarget, Explain, ExplainTarget, Insert, ObjectKind, Query, SetExpr, Span,
    Statement, StatementKind,
};
use crate::bind::{Binder, location};
use crate::explain::{Asked, explain, state_notes};
use crate::parser::ParseError;
use crate::physical::{Root, physical};
use crate::rel::Rel;
use crate::{set, show};

#[derive(Debug, Clone, Copy, Default)]
pub struct PlannerOptions {
    /// A query over one snapshot, not a pipeline: keyed and system tables may be read.
    pub batch_snapshot: bool,
}

/// What a statement is planned against.
#[derive(Clone, Copy)]
pub struct Planner<'a> {
    pub catalog: &'a dyn Catalog,
    pub functions: &'a dyn FunctionCatalog,
    pub connectors: &'a dyn ConnectorCatalog,
    pub evaluator: &'a dyn Evaluator,
    pub settings: &'a Settings,
    pub current_database: &'a str,
    pub options: PlannerOptions,
}

/// What is to be done.
#[derive(Debug)]
pub enum Planned {
    CreateTable {
        table: TableDef,
        if_not_exists: bool,
        /// The whole definition, where the statement refers to another table.
        sql: Option<String>,
    },
    /// The table, then the pipeline that fills it.
    CreateTableAs {
        table: TableDef,
        if_not_exists: bool,
        replace: bool,
        /// What makes the table again.
        sql: String,
        /// What makes the pipeline again.
        insert: String,
        plan: PhysicalPlan,
    },
    /// The table after the change; its path is another one when it is renamed.
    AlterTable {
        old: ObjectPath,
        table: TableDef,
        sql: String,
    },
    AlterView {
        old: ObjectPath,
        view: ViewDef,
        sql: String,
    },
    AlterMaterialized {
        path: ObjectPath,
        change: MaterializedChange,
    },
    /// Rows of `table$late` or `table$quarantine` go once more through the pipeline that has set them aside; `condition` is
    /// over the columns of that table.
    Replay {
        table: ObjectPath,
        late: bool,
        condition: Option<Expr>,
    },
    AlterPartitions {
        table: ObjectPath,
        add: bool,
        partitions: Vec<PartitionSpec>,
    },
    CreateView {
        view: ViewDef,
        if_not_exists: bool,
        replace: bool,
    },
    CreateMaterializedTable {
        table: TableDef,
        plan: PhysicalPlan,
    },
    CreateAlert {
        def: Box<AlertDef>,
        plan: PhysicalPlan,
        if_not_exists: bool,
        replace: bool,
    },
    AlterAlert {
        path: ObjectPath,
        change: AlertChange,
    },
    DropAlert {
        path: ObjectPath,
        if_exists: bool,
    },
    ShowAlerts,
    ShowCreateAlert {
        path: ObjectPath,
    },
    /// How often an alert would have fired in so many ms.
    ExplainAlert {
        path: ObjectPath,
        last_ms: i64,
    },
    /// New, or changed.
    PutCatalog(CatalogDef),
    DropCatalog {
        name: String,
    },
    /// New, or changed.
    PutDatabase(DatabaseDef),
    Drop {
        kind: ObjectKind,
        path: ObjectPath,
        if_exists: bool,
        temporary: bool,
    },
    /// With the objects that it holds.
    DropDatabase {
        catalog: String,
        name: String,
        objects: Vec<ObjectPath>,
    },
    UseDatabase {
        catalog: String,
        name: String,
    },
    /// UPDATE, DELETE: `plan` gives the rows of the keyed table that are put or taken away, over one snapshot.
    Change {
        table: Arc<TableDef>,
        delete: bool,
        plan: PhysicalPlan,
        tag: &'static str,
    },
    Insert {
        plan: PhysicalPlan,
        target: ObjectPath,
    },
    /// INSERT INTO .. VALUES of constants; `rows` are in the order of the table's sink columns.
    InsertValues {
        table: Arc<TableDef>,
        rows: Vec<Vec<Datum>>,
        plan: PhysicalPlan,
    },
    StatementSet {
        plan: PhysicalPlan,
        targets: Vec<ObjectPath>,
    },
    Select {
        plan: PhysicalPlan,
        schema: RowSchema,
    },
    /// A small answer that is known already: SHOW, DESCRIBE, EXPLAIN, SET.
    Rows {
        columns: Vec<&'static str>,
        rows: Vec<Vec<Option<String>>>,
    },
    Set {
        key: String,
        value: String,
    },
    Reset {
        key: Option<String>,
    },
    ShowJobs,
    StopJob {
        id: String,
        with_savepoint: bool,
        with_drain: bool,
    },
    DescribeJob {
        id: String,
    },
    /// Why a table has nothing new.
    ExplainWhy {
        table: ObjectPath,
    },
    /// Live figures of a pipeline, by its name or id.
    ExplainAnalyze {
        job: String,
    },
    /// Nothing to do, such as USE CATALOG default_catalog.
    Nothing,
}

/// What ALTER MATERIALIZED TABLE does.
#[derive(Debug)]
pub enum MaterializedChange {
    Suspend,
    Resume,
    /// The query starts over.
    Rebuild,
    /// Another query or other options.
    Redefine {
        table: Box<TableDef>,
        plan: PhysicalPlan,
        sql: String,
    },
}

#[derive(Debug)]
pub struct PlannedStatement {
    pub planned: Planned,
    /// Things to know: unbounded state, settings without effect.
    pub notices: Vec<String>,
}

/// A syntax error as the error that crosses crates, with its place in `text`.
pub fn syntax_error(error: ParseError, text: &str) -> Error {
    let at = location(text, error.span);
    let shown = Error::user(error.message).with_code(Code::Syntax).with_location(at);
    match error.hint {
        Some(hint) => shown.with_hint(hint),
        None => shown,
    }
}

impl Planner<'_> {
    /// Parses one statement and plans it.
    pub fn plan_text(&self, text: &str) -> Result<PlannedStatement> {
        let statement = crate::parser::parse_statement(text).map_err(|e| syntax_error(e, text))?;
        self.plan(&statement, text)
    }

    /// A query or INSERT as it is bound, before any pass: what a second opinion on its meaning starts from.
    pub fn bind_text(&self, text: &str) -> Result<Rel> {
        let statement = crate::parser::parse_statement(text).map_err(|e| syntax_error(e, text))?;
        let binder = Binder::new(self, text);
        match &statement.kind {
            StatementKind::Query(query) => binder.root_query(query),
            StatementKind::Insert(insert) => binder.insert(insert).map(|(rel, _)| rel),
            _ => Err(Error::user("expected a query or INSERT")),
        }
        .map_err(|e| binder.locate(e, statement.span))
    }

    /// `text` is what the statement was parsed from.
    pub fn plan(&self, statement: &Statement, text: &str) -> Result<PlannedStatement> {
        let binder = Binder::new(self, text);
        let mut notices = vec![];
        let planned = self.statement(statement, &binder, &mut notices).map_err(|e| binder.locate(e, statement.span))?;
        let mut notices: Vec<String> = binder.notices.take().into_iter().chain(notices).collect();
        let mut seen = std::collections::BTreeSet::new();
        notices.retain(|n| seen.insert(n.clone()));
        Ok(PlannedStatement { planned, notices })
    }

    fn statement(&self, statement: &Statement, binder: &Binder<'_>, notices: &mut Vec<String>) -> Result<Planned> {
        Ok(match &statement.kind {
            StatementKind::CreateTable(c) => self.create_table(c, binder, notices)?,
            StatementKind::CreateView(c) => {
                let view = binder.create_view(c)?;
                binder.check_free(&view.path, c.if_not_exists || c.or_replace, c.name.span)?;
                Planned::CreateView { view, if_not_exists: c.if_not_exists, replace: c.or_replace }
            }
            StatementKind::CreateMaterializedTable(c) => self.create_materialized(c, binder, notices)?,
            StatementKind::CreateAlert(c) => self.create_alert(c, binder, notices)?,
            StatementKind::AlterAlert(a) => self.alter_alert(a, binder)?,
            StatementKind::DropAlert { if_exists, name } => {
                Planned::DropAlert { path: binder.path(name)?, if_exists: *if_exists }
            }
            StatementKind::CreateDatabase(c) => self.create_database(c, binder)?,
            StatementKind::CreateCatalog(c) => self.create_catalog(c, binder)?,
            StatementKind::CreateFunction(c) => {
                let language = c.body.language.as_ref().map_or("JAVA", |l| l.value.as_str());
                return Err(binder
                    .refused(format!("CREATE FUNCTION .. LANGUAGE {language}"), "user code in Java, Scala or Python needs their runtimes, which this one binary does not have; SHOW FUNCTIONS lists what is built in", c.name.span));
            }
            StatementKind::CreateModel(c) => {
                return Err(binder.refused(
                    "CREATE MODEL",
                    "a model is called over a provider's network interface, and none is built in",
                    c.name.span,
                ));
            }
            StatementKind::Alter(a) => self.alter(a, binder, notices)?,
            StatementKind::Drop(d) => self.drop(d, binder)?,
            StatementKind::Use(u) => self.use_database(u, binder)?,
            StatementKind::Module(m) => self.module(m, binder)?,
            StatementKind::Jar(jar) => {
                return Err(binder.refused(
                    if jar.add { "ADD JAR" } else { "REMOVE JAR" },
                    "connectors, formats and functions are built in: there is no Java to load a library into",
                    jar.path.span,
                ));
            }
            StatementKind::Plan(plan) => {
                let name = match (plan.compile.is_some(), plan.execute) {
                    (true, true) => "COMPILE AND EXECUTE PLAN",
                    (true, false) => "COMPILE PLAN",
                    _ => "EXECUTE PLAN",
                };
                return Err(binder
                    .refused(name, "a compiled plan holds Flink's own operators; a pipeline is kept as its SQL text, and its state is found by what it computes", statement.span));
            }
            StatementKind::Analyze(a) => {
                binder.table_named(&a.table)?;
                return Err(binder.refused(
                    "ANALYZE TABLE",
                    "as in Flink, statistics are for batch jobs, and a streaming plan does not depend on them",
                    a.table.span,
                ));
            }
            StatementKind::Call(call) => {
                return Err(binder
                    .wrong(
                        Code::UndefinedFunction,
                        format!("procedure '{}' does not exist", call.call.name),
                        statement.span,
                    )
                    .with_hint("procedures belong to catalogs of other systems; SHOW PROCEDURES lists none here"));
            }
            StatementKind::Update(update) => {
                let (rel, table) = binder.updated_rows(update)?;
                let at = binder.at(update.table.span);
                Planned::Change { table, delete: false, plan: self.over_snapshot(Root { rel, at })?, tag: "UPDATE" }
            }
            StatementKind::Delete(delete) => {
                let (rel, table) = binder.deleted_rows(&delete.table, delete.condition.as_ref(), "DELETE")?;
                let at = binder.at(delete.table.span);
                Planned::Change { table, delete: true, plan: self.over_snapshot(Root { rel, at })?, tag: "DELETE" }
            }
            StatementKind::Truncate(name) => {
                let (rel, table) = binder.deleted_rows(name, None, "TRUNCATE TABLE")?;
                let at = binder.at(name.span);
                Planned::Change {
                    table,
                    delete: true,
                    plan: self.over_snapshot(Root { rel, at })?,
                    tag: "TRUNCATE TABLE",
                }
            }
            StatementKind::Insert(insert) => {
                let planned = self.insert(insert, binder)?;
                if let Planned::Insert { plan, .. } | Planned::InsertValues { plan, .. } = &planned {
                    notices.extend(state_notes(plan));
                }
                planned
            }
            StatementKind::StatementSet(inserts) => {
                let (roots, targets) = self.inserts(inserts, binder)?;
                let plan = self.physical(roots)?;
                notices.extend(state_notes(&plan));
                Planned::StatementSet { plan, targets }
            }
            StatementKind::Query(query) => {
                let root = self.select(query, binder)?;
                let schema = root.rel.schema.clone();
                Planned::Select { plan: self.physical(vec![root])?, schema }
            }
            StatementKind::Explain(e) => match &e.target {
                ExplainTarget::Why(name) => Planned::ExplainWhy { table: binder.object(name)?.path().clone() },
                ExplainTarget::Analyze(job) => Planned::ExplainAnalyze { job: job.value.clone() },
                ExplainTarget::Alert { name, last } => {
                    Planned::ExplainAlert { path: binder.path(name)?, last_ms: binder.time_of("LAST", last)? }
                }
                _ => self.explain(e, binder)?,
            },
            StatementKind::Describe(d) => match &d.target {
                DescribeTarget::Table(name) => show::describe(binder.object(name)?, d.extended),
                DescribeTarget::Catalog(name) => show::describe_catalog(name, d.extended, binder)?,
                DescribeTarget::Function(name) => show::describe_function(name, binder)?,
                DescribeTarget::Model(name) => return Err(ddl::no_model(binder, name)),
                DescribeTarget::Job(id) => Planned::DescribeJob { id: id.value.clone() },
            },
            StatementKind::Show(s) => show::show(s, binder)?,
            StatementKind::Set(s) => set::set(s, binder, notices)?,
            StatementKind::Reset(key) => Planned::Reset { key: key.as_ref().map(|k| k.value.clone()) },
            StatementKind::StopJob(s) => {
                Planned::StopJob { id: s.id.value.clone(), with_savepoint: s.with_savepoint, with_drain: s.with_drain }
            }
            StatementKind::Unsupported { what } => return Err(binder.unsupported(what, statement.span)),
        })
    }

    fn physical(&self, roots: Vec<Root>) -> Result<PhysicalPlan> {
        physical(roots, self.settings, self.connectors, ChangelogMode::ALL, self.options.batch_snapshot)
    }

    /// The rows of a keyed table that a statement changes.
    fn over_snapshot(&self, root: Root) -> Result<PhysicalPlan> {
        physical(vec![root], self.settings, self.connectors, ChangelogMode::ALL, true)
    }

    fn select(&self, query: &Query, binder: &Binder<'_>) -> Result<Root> {
        let rel = binder.root_query(query)?;
        Ok(Root { rel: rel.sink(SinkTarget::Collect), at: binder.at(query.span) })
    }

    fn inserts(&self, inserts: &[Insert], binder: &Binder<'_>) -> Result<(Vec<Root>, Vec<ObjectPath>)> {
        let mut roots = vec![];
        let mut targets = vec![];
        for insert in inserts {
            let (rel, table) = binder.insert(insert)?;
            roots.push(Root { rel, at: binder.at(insert.table.span) });
            targets.push(table.path.clone());
        }
        Ok((roots, targets))
    }

    fn insert(&self, insert: &Insert, binder: &Binder<'_>) -> Result<Planned> {
        let (rel, table) = binder.insert(insert)?;
        let plan = self.physical(vec![Root { rel, at: binder.at(insert.table.span) }])?;
        let values = matches!(insert.query.body, SetExpr::Values(_));
        if values && let Some(rows) = self.constants(&plan, insert, binder)? {
            return Ok(Planned::InsertValues { table, rows, plan });
        }
        Ok(Planned::Insert { plan, target: table.path.clone() })
    }

    /// The rows of a plan that is VALUES into a sink.
    fn constants(&self, plan: &PhysicalPlan, insert: &Insert, binder: &Binder<'_>) -> Result<Option<Vec<Vec<Datum>>>> {
        let [values, sink] = plan.nodes.as_slice() else {
            return Ok(None);
        };
        let (Op::Values(values), Op::Sink(_)) = (&values.op, &sink.op) else {
            return Ok(None);
        };
        let spans: Vec<Span> = match &insert.query.body {
            SetExpr::Values(v) => {
                v.rows.iter().map(|r| r.first().map_or(v.span, |f| f.span.to(r[r.len() - 1].span))).collect()
            }
            _ => vec![],
        };
        let mut rows = vec![];
        for (i, row) in values.rows.iter().enumerate() {
            let span = spans.get(i).copied().unwrap_or(insert.query.span);
            let evaluate = |e: &Expr| match e {
                Expr::Literal { value, .. } => Ok(value.clone()),
                other => self.evaluator.evaluate_constant(other),
            };
            let row: Result<Vec<Datum>> = row.iter().map(evaluate).collect();
            rows.push(row.map_err(|e| binder.locate(e, span))?);
        }
        Ok(Some(rows))
    }

    fn materialized(&self, c: &CreateMaterializedTable, binder: &Binder<'_>) -> Result<(TableDef, PhysicalPlan, Rel)> {
        let (path, rel) = binder.materialized_query(c)?;
        let at = binder.at(c.name.span);
        // What the query gives is known once it is planned; it then decides about its table.
        let trial = self.physical(vec![Root { rel: rel.clone().sink(SinkTarget::Collect), at }])?;
        let result = trial.nodes.last().ok_or_else(|| Error::bug("a plan without nodes"))?;
        let table = binder.materialized_table(c, path, &rel, result)?;
        let sink = rel.sink(SinkTarget::Table(Arc::new(table.clone())));
        let plan = self.physical(vec![Root { rel: sink.clone(), at }])?;
        Ok((table, plan, sink))
    }

    fn explain(&self, e: &Explain, binder: &Binder<'_>) -> Result<Planned> {
        let mut asked = Asked::default();
        for detail in &e.details {
            match detail.value.as_str() {
                "CHANGELOG_MODE" => asked.changelog = true,
                "ESTIMATED_COST" => asked.cost = true,
                "PLAN_ADVICE" => asked.advice = true,
                "JSON_EXECUTION_PLAN" => asked.execution_plan = true,
                other => return Err(binder.unsupported(format!("EXPLAIN {other}"), detail.span)),
            }
        }
        let (rels, plan) = match &e.target {
            ExplainTarget::Query(query) => {
                let root = self.select(query, binder)?;
                let rel = root.rel.clone();
                // As in Flink nobody asks for -U: the query is explained without the one who takes its rows.
                (vec![rel], physical(vec![root], self.settings, self.connectors, ChangelogMode::UPSERT, false)?)
            }
            ExplainTarget::Insert(insert) => self.explained(self.inserts(std::slice::from_ref(insert), binder)?.0)?,
            ExplainTarget::StatementSet(inserts) => self.explained(self.inserts(inserts, binder)?.0)?,
            ExplainTarget::CreateTable(c) => {
                let Some(query) = &c.query else {
                    return Err(binder
                        .unsupported("EXPLAIN CREATE TABLE without AS", c.name.span)
                        .with_hint("there is a plan where there is a query"));
                };
                let (derived, insert) = binder.create_table_as(c, query)?;
                let (rel, _) = binder.insert_into(&insert, Arc::new(derived.table))?;
                self.explained(vec![Root { rel, at: binder.at(c.name.span) }])?
            }
            ExplainTarget::Why(_) | ExplainTarget::Analyze(_) | ExplainTarget::Alert { .. } => {
                return Err(Error::bug("EXPLAIN WHY, ANALYZE and ALERT are answered by the engine"));
            }
            ExplainTarget::CreateAlert(c) => {
                let (_, plan, rel) = self.alert(c, binder)?;
                (vec![rel], plan)
            }
            ExplainTarget::CreateMaterializedTable(c) => {
                let (_, plan, rel) = self.materialized(c, binder)?;
                (vec![rel], plan)
            }
        };
        let text = explain(&rels, &plan, asked);
        Ok(Planned::Rows { columns: vec!["result"], rows: vec![vec![Some(text)]] })
    }

    fn explained(&self, roots: Vec<Root>) -> Result<(Vec<Rel>, PhysicalPlan)> {
        let rels = roots.iter().map(|r| r.rel.clone()).collect();
        Ok((rels, self.physical(roots)?))
    }
}
