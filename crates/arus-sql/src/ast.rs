//! The syntax tree of Flink SQL: statements, queries, expressions and types as written, names unresolved.
//!
//! Invariant: every node knows its [`Span`] in the text that was parsed, and its height is at most
//! `parser::MAX_HEIGHT`, so that walking it recursively is safe.

mod alert;
mod alter;
mod expr;
mod query;
mod types;

pub use alert::*;
pub use alter::*;
pub use expr::*;
pub use query::*;
pub use types::*;

/// Byte offsets into the parsed text: `start..end`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl std::fmt::Debug for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

impl Span {
    pub fn new(start: usize, end: usize) -> Span {
        Span { start: start as u32, end: end as u32 }
    }

    /// From the start of `self` to the end of `other`.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start, end: other.end.max(self.start) }
    }

    /// The text that the span covers, or "" if the span is not of this text.
    pub fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or("")
    }

    /// Line and column of the start, both from 1; the column counts characters.
    pub fn line_column(self, text: &str) -> (u32, u32) {
        let mut end = (self.start as usize).min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &text[..end];
        let line = before.bytes().filter(|b| *b == b'\n').count() as u32 + 1;
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        (line, before[line_start..].chars().count() as u32 + 1)
    }

    /// The place for an error about this span of `text`.
    pub fn location(self, text: &str) -> arus_core::Location {
        let (line, column) = self.line_column(text);
        arus_core::Location { line, column, offset: self.start, length: (self.end - self.start).max(1) }
    }
}

/// One part of a name. Identifiers are case-sensitive; `value` has the back-ticks removed.
#[derive(Clone, Debug)]
pub struct Ident {
    pub value: String,
    pub quoted: bool,
    pub span: Span,
}

/// `[[catalog.]database.]name`.
#[derive(Clone, Debug)]
pub struct ObjectName {
    pub parts: Vec<Ident>,
    pub span: Span,
}

impl ObjectName {
    /// The last part. A parsed name has at least one.
    pub fn last(&self) -> &Ident {
        self.parts.last().expect("a parsed name has at least one part")
    }
}

/// A character string where the grammar wants a literal: option keys and values, comments.
#[derive(Clone, Debug)]
pub struct Text {
    pub value: String,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Statement {
    pub kind: StatementKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum StatementKind {
    CreateTable(Box<CreateTable>),
    CreateView(Box<CreateView>),
    CreateMaterializedTable(Box<CreateMaterializedTable>),
    CreateAlert(Box<CreateAlert>),
    AlterAlert(Box<AlterAlert>),
    DropAlert {
        if_exists: bool,
        name: ObjectName,
    },
    CreateDatabase(CreateDatabase),
    CreateCatalog(CreateCatalog),
    CreateFunction(Box<CreateFunction>),
    CreateModel(Box<CreateModel>),
    Alter(Box<Alter>),
    Drop(Drop),
    Use(Use),
    Module(ModuleStatement),
    Jar(JarStatement),
    Plan(Box<PlanStatement>),
    Analyze(Box<Analyze>),
    Call(CallStatement),
    Update(Box<Update>),
    Delete(Box<Delete>),
    Truncate(ObjectName),
    Insert(Box<Insert>),
    /// `EXECUTE STATEMENT SET BEGIN .. END`, `BEGIN STATEMENT SET; .. END`.
    StatementSet(Vec<Insert>),
    Query(Box<Query>),
    Explain(Box<Explain>),
    Describe(Describe),
    Show(Show),
    Set(Set),
    /// `RESET` (all) or `RESET 'k'`.
    Reset(Option<Text>),
    StopJob(StopJob),
    /// A statement of Flink (or of ours) that is known by name and not supported: `what` is its name, such as `ALTER TABLE`.
    /// The rest of the statement was skipped, not parsed.
    Unsupported {
        what: String,
    },
}

// ---- DDL

#[derive(Clone, Debug)]
pub struct CreateTable {
    pub temporary: bool,
    /// `CREATE OR REPLACE TABLE` or `REPLACE TABLE`.
    pub replace: Option<Replace>,
    pub if_not_exists: bool,
    pub name: ObjectName,
    pub columns: Vec<ColumnDef>,
    pub watermarks: Vec<WatermarkDef>,
    /// Keys of the table and of single columns, in the order written.
    pub keys: Vec<KeyDef>,
    pub comment: Option<Text>,
    pub distribution: Option<Distribution>,
    pub partitioned_by: Vec<Ident>,
    pub options: Vec<TableOption>,
    pub like: Option<TableLike>,
    /// `AS SELECT ..`
    pub query: Option<Box<Query>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    CreateOrReplace,
    Replace,
}

#[derive(Clone, Debug)]
pub struct ColumnDef {
    pub name: Ident,
    pub kind: ColumnKind,
    pub comment: Option<Text>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum ColumnKind {
    Physical {
        data_type: DataType,
    },
    /// `c TYPE METADATA [FROM 'key'] [VIRTUAL]`
    Metadata {
        data_type: DataType,
        key: Option<Text>,
        is_virtual: bool,
    },
    /// `c AS expr`
    Computed {
        expr: Expr,
    },
    /// A name alone: `CREATE TABLE t (a, b) AS SELECT ..`
    Name,
}

/// `WATERMARK FOR column AS expr`; the column may be a nested field.
#[derive(Clone, Debug)]
pub struct WatermarkDef {
    pub column: ObjectName,
    pub expr: Expr,
    pub span: Span,
}

/// `[CONSTRAINT name] PRIMARY KEY | UNIQUE (..) [[NOT] ENFORCED]`, of the table or of one column.
#[derive(Clone, Debug)]
pub struct KeyDef {
    pub name: Option<Ident>,
    pub unique: bool,
    pub columns: Vec<Ident>,
    /// `None`: neither ENFORCED nor NOT ENFORCED was written.
    pub enforced: Option<bool>,
    pub span: Span,
}

/// `DISTRIBUTED BY [HASH|RANGE] (..) [INTO n BUCKETS]` or `DISTRIBUTED INTO n BUCKETS`.
#[derive(Clone, Debug)]
pub struct Distribution {
    pub kind: Option<DistributionKind>,
    pub columns: Vec<Ident>,
    pub buckets: Option<u64>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DistributionKind {
    Hash,
    Range,
}

/// `'key' = 'value'`
#[derive(Clone, Debug)]
pub struct TableOption {
    pub key: Text,
    pub value: Text,
}

/// `LIKE t (INCLUDING ALL ..)`
#[derive(Clone, Debug)]
pub struct TableLike {
    pub name: ObjectName,
    pub options: Vec<LikeOption>,
    pub span: Span,
}

/// One word pair in capitals, such as `EXCLUDING`, `CONSTRAINTS`.
#[derive(Clone, Debug)]
pub struct LikeOption {
    pub strategy: String,
    pub feature: String,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct CreateView {
    pub temporary: bool,
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub name: ObjectName,
    /// Empty: the names of the query.
    pub columns: Vec<Ident>,
    pub comment: Option<Text>,
    pub query: Query,
}

#[derive(Clone, Debug)]
pub struct CreateMaterializedTable {
    pub or_alter: bool,
    pub name: ObjectName,
    pub columns: Vec<ColumnDef>,
    pub watermarks: Vec<WatermarkDef>,
    pub keys: Vec<KeyDef>,
    pub comment: Option<Text>,
    pub distribution: Option<Distribution>,
    pub partitioned_by: Vec<Ident>,
    pub options: Vec<TableOption>,
    /// `FRESHNESS = INTERVAL ..`
    pub freshness: Option<Expr>,
    /// `REFRESH_MODE = CONTINUOUS | FULL`
    pub refresh_mode: Option<Ident>,
    pub start_mode: Option<StartMode>,
    pub query: Query,
}

/// `START_MODE = FROM_NOW(INTERVAL '1' DAY)`
#[derive(Clone, Debug)]
pub struct StartMode {
    /// In capitals.
    pub mode: Ident,
    pub argument: Option<Expr>,
}

#[derive(Clone, Debug)]
pub struct CreateDatabase {
    pub if_not_exists: bool,
    pub name: ObjectName,
    pub comment: Option<Text>,
    pub options: Vec<TableOption>,
}

#[derive(Clone, Debug)]
pub struct Drop {
    pub object: ObjectKind,
    pub temporary: bool,
    /// `DROP TEMPORARY SYSTEM FUNCTION`
    pub system: bool,
    pub if_exists: bool,
    pub name: ObjectName,
    /// `DROP DATABASE .. CASCADE | RESTRICT`
    pub cascade: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    Table,
    View,
    MaterializedTable,
    Database,
    Catalog,
    Function,
    Model,
}

impl ObjectKind {
    pub fn as_str(self) -> &'static str {
        match self {
            ObjectKind::Table => "TABLE",
            ObjectKind::View => "VIEW",
            ObjectKind::MaterializedTable => "MATERIALIZED TABLE",
            ObjectKind::Database => "DATABASE",
            ObjectKind::Catalog => "CATALOG",
            ObjectKind::Function => "FUNCTION",
            ObjectKind::Model => "MODEL",
        }
    }
}

#[derive(Clone, Debug)]
pub enum Use {
    Database(ObjectName),
    Catalog(Ident),
    Modules(Vec<Ident>),
}

// ---- DML

#[derive(Clone, Debug)]
pub struct Insert {
    pub overwrite: bool,
    pub table: ObjectName,
    /// `/*+ OPTIONS(..) */` behind the table.
    pub hints: Vec<Hint>,
    /// `PARTITION (k = v, ..)`
    pub partition: Vec<(Ident, Expr)>,
    /// Empty: all columns. A name may be a nested field.
    pub columns: Vec<ObjectName>,
    pub query: Query,
    pub on_conflict: Option<OnConflict>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct OnConflict {
    pub action: ConflictAction,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictAction {
    Nothing,
    Error,
    Deduplicate,
}

// ---- everything else

#[derive(Clone, Debug)]
pub struct Explain {
    /// `ESTIMATED_COST`, `CHANGELOG_MODE`, .. in capitals; `EXPLAIN PLAN FOR` has none.
    pub details: Vec<Ident>,
    pub target: ExplainTarget,
}

#[derive(Clone, Debug)]
pub enum ExplainTarget {
    Query(Box<Query>),
    Insert(Box<Insert>),
    StatementSet(Vec<Insert>),
    /// `EXPLAIN CREATE TABLE .. AS`, `EXPLAIN CREATE MATERIALIZED TABLE .. AS`
    CreateTable(Box<CreateTable>),
    CreateMaterializedTable(Box<CreateMaterializedTable>),
    CreateAlert(Box<CreateAlert>),
    /// `EXPLAIN ALERT a LAST INTERVAL '7' DAY`
    Alert {
        name: ObjectName,
        last: Box<Expr>,
    },
    /// `EXPLAIN WHY t`
    Why(ObjectName),
    /// `EXPLAIN ANALYZE job`: a name or an id in quotes
    Analyze(Ident),
}

#[derive(Clone, Debug)]
pub struct Describe {
    pub extended: bool,
    pub target: DescribeTarget,
}

#[derive(Clone, Debug)]
pub enum DescribeTarget {
    Table(ObjectName),
    Catalog(Ident),
    Function(ObjectName),
    Model(ObjectName),
    Job(Text),
}

#[derive(Clone, Debug)]
pub struct Show {
    pub what: ShowWhat,
    /// `FROM | IN catalog.database`, or the table of `SHOW COLUMNS`.
    pub from: Option<ObjectName>,
    pub like: Option<ShowLike>,
}

#[derive(Clone, Debug)]
pub enum ShowWhat {
    Catalogs,
    CurrentCatalog,
    Databases,
    CurrentDatabase,
    Tables,
    Views,
    MaterializedTables,
    Columns,
    /// `SHOW [USER] FUNCTIONS`
    Functions {
        user: bool,
    },
    Jobs,
    Jars,
    /// `SHOW [FULL] MODULES`
    Modules {
        full: bool,
    },
    CreateTable(ObjectName),
    CreateView(ObjectName),
    CreateMaterializedTable(ObjectName),
    CreateCatalog(Ident),
    CreateModel(ObjectName),
    /// `SHOW PARTITIONS t [PARTITION (..)]`
    Partitions {
        table: ObjectName,
        partition: Vec<(Ident, Expr)>,
    },
    Procedures,
    Models,
    Alerts,
    CreateAlert(ObjectName),
}

/// `[NOT] LIKE | ILIKE 'pattern'`
#[derive(Clone, Debug)]
pub struct ShowLike {
    pub negated: bool,
    pub case_insensitive: bool,
    pub pattern: Text,
}

#[derive(Clone, Debug)]
pub enum Set {
    /// `SET`: list all.
    All,
    /// `SET 'k'` (ours only): show one.
    One(Text),
    /// `SET 'k' = 'v'`, and unquoted `SET k = v`.
    To { key: Text, value: Text },
}

/// `STOP JOB 'id' [WITH SAVEPOINT] [WITH DRAIN]`
#[derive(Clone, Debug)]
pub struct StopJob {
    pub id: Text,
    pub with_savepoint: bool,
    pub with_drain: bool,
}
