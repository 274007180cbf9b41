//! The physical plan: plain data between SQL and runtime.
//!
//! State ids, EXPLAIN, changelog inference and rendering for Flink are exhaustive matches over [`Op`].

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::catalog::TableDef;
use crate::expr::Expr;
use crate::function::AggregateFunction;
use crate::schema::RowSchema;
use crate::types::LogicalType;

/// Raised when a plan of an older version can no longer be restored as it stands.
pub const PLAN_VERSION: u32 = 1;

/// Index of a node in [`PhysicalPlan::nodes`].
pub type NodeId = usize;

/// Names the state of an operator: a hash of its logical subtree, independent of sibling statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Uid(pub u64);

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Row kinds that an edge may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChangelogMode {
    pub insert: bool,
    pub update_before: bool,
    pub update_after: bool,
    pub delete: bool,
}

impl ChangelogMode {
    pub const INSERT_ONLY: Self = Self { insert: true, update_before: false, update_after: false, delete: false };
    pub const ALL: Self = Self { insert: true, update_before: true, update_after: true, delete: true };
    pub const UPSERT: Self = Self { insert: true, update_before: false, update_after: true, delete: true };

    pub fn is_insert_only(self) -> bool {
        self == Self::INSERT_ONLY
    }

    pub fn contains(self, other: Self) -> bool {
        (self.insert || !other.insert)
            && (self.update_before || !other.update_before)
            && (self.update_after || !other.update_after)
            && (self.delete || !other.delete)
    }
}

/// Flink's form: `I,UB,UA,D`.
impl fmt::Display for ChangelogMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [(self.insert, "I"), (self.update_before, "UB"), (self.update_after, "UA"), (self.delete, "D")];
        let text: Vec<_> = kinds.iter().filter(|k| k.0).map(|k| k.1).collect();
        f.write_str(&text.join(","))
    }
}

/// A job: one or several sinks over a graph of nodes. Inputs stand before their users.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhysicalPlan {
    pub version: u32,
    pub nodes: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub uid: Uid,
    pub op: Op,
    pub inputs: Vec<NodeId>,
    /// Of the output.
    pub schema: RowSchema,
    /// Of the output.
    pub mode: ChangelogMode,
    /// Unique keys of the output by which changes can be upserted.
    pub upsert_keys: Vec<Vec<usize>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Op {
    Scan(Scan),
    Values(Values),
    /// Filter, then project.
    Calc(Calc),
    /// Appends window_start, window_end, window_time to each row.
    WindowTableFunction(Window),
    /// Rows with equal keys go to one task.
    Exchange(Exchange),
    GroupAggregate(GroupAggregate),
    WindowAggregate(WindowAggregate),
    /// UNION ALL.
    Union,
    /// Keeps the row of each key, so that upserts and repeated changes become a changelog.
    ChangelogNormalize(ChangelogNormalize),
    /// -U is left out where nobody needs it.
    DropUpdateBefore,
    /// Each row several times, one after the other: GROUPING SETS.
    Expand(Expand),
    /// LIMIT, and ORDER BY with it: the rows of some ranks.
    Rank(Rank),
    /// ORDER BY a time attribute first.
    TemporalSort(TemporalSort),
    /// Rows of the left input by whether the right one has an equal row.
    SemiJoin(SemiJoin),
    /// Each row beside the rows that a function makes of it.
    Correlate(Correlate),
    Sink(Sink),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scan {
    pub table: Arc<TableDef>,
    /// Physical and metadata columns (by index in the table) that are decoded.
    pub read: Vec<usize>,
    /// The output columns, over `read`: computed columns are evaluated here.
    pub output: Vec<Expr>,
    pub watermark: Option<Watermark>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watermark {
    /// The rowtime column in the scan's output.
    pub column: usize,
    /// Over the scan's output; milliseconds are taken from its TIMESTAMP.
    pub expr: Expr,
    /// 0: never idle.
    pub idle_timeout_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Values {
    /// Constant rows.
    pub rows: Vec<Vec<Expr>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calc {
    pub condition: Option<Expr>,
    pub projection: Vec<Expr>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    pub kind: WindowKind,
    /// The DESCRIPTOR's column in the input; unused when rows carry their window.
    pub time: usize,
    /// Of the time attribute, also when rows carry their window.
    pub time_type: LogicalType,
    /// Rows carry their window, which a table function or another aggregate gave them.
    #[serde(default)]
    pub attached: Option<AttachedWindow>,
    /// PARTITION BY of SESSION: input columns, each value of which has sessions of its own.
    #[serde(default)]
    pub partition: Vec<usize>,
}

/// The input columns that hold a row's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachedWindow {
    pub start: usize,
    pub end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WindowKind {
    Tumble {
        size_ms: i64,
        offset_ms: i64,
    },
    /// A window of `size_ms` each `slide_ms`.
    Hop {
        size_ms: i64,
        slide_ms: i64,
        offset_ms: i64,
    },
    /// Windows that start each `size_ms` and grow by `step_ms`.
    Cumulate {
        size_ms: i64,
        step_ms: i64,
        offset_ms: i64,
    },
    /// Rows less than `gap_ms` apart, of one partition.
    Session {
        gap_ms: i64,
    },
}

impl WindowKind {
    /// Flink's name of the table function.
    pub fn name(self) -> &'static str {
        match self {
            WindowKind::Tumble { .. } => "TUMBLE",
            WindowKind::Hop { .. } => "HOP",
            WindowKind::Cumulate { .. } => "CUMULATE",
            WindowKind::Session { .. } => "SESSION",
        }
    }

    /// The length of a window; of a session the gap that ends it.
    pub fn size_ms(self) -> i64 {
        match self {
            WindowKind::Tumble { size_ms, .. }
            | WindowKind::Hop { size_ms, .. }
            | WindowKind::Cumulate { size_ms, .. } => size_ms,
            WindowKind::Session { gap_ms } => gap_ms,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// Empty: all rows to one task.
    pub keys: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AggregateCall {
    pub function: AggregateFunction,
    /// Input columns; none for COUNT(*).
    pub args: Vec<usize>,
    /// Only different values of the arguments count.
    #[serde(default)]
    pub distinct: bool,
    /// A BOOLEAN input column: only rows where it is true count.
    #[serde(default)]
    pub filter: Option<usize>,
    pub ty: LogicalType,
    pub name: String,
}

impl AggregateCall {
    /// The input columns that it reads.
    pub fn columns(&self) -> impl Iterator<Item = usize> {
        self.args.iter().chain(&self.filter).copied()
    }

    /// Replaces every column that it reads.
    pub fn map_columns(&mut self, map: impl Fn(usize) -> usize) {
        self.args.iter_mut().chain(&mut self.filter).for_each(|column| *column = map(*column));
    }
}

/// GROUP BY without a window: a changelog. Output: keys, then calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupAggregate {
    pub keys: Vec<usize>,
    pub calls: Vec<AggregateCall>,
    /// Whether anybody needs -U.
    pub update_before: bool,
    /// One change a touched key and batch, rather than Flink's every step.
    pub compact: bool,
    /// 0: never.
    pub state_ttl_ms: i64,
}

/// A row of output for each projection, in this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expand {
    /// Columns, and literals where a set leaves a key out; the last is the number of the set.
    pub projections: Vec<Vec<Expr>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortKey {
    pub column: usize,
    pub descending: bool,
    pub nulls_first: bool,
}

/// How a rank keeps its rows; each tells its changes in an order of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RankStrategy {
    /// Over appended rows: only those within the limit.
    AppendFast,
    /// Over updates of rows with this key whose order only rises: only those within the limit.
    UpdateFast { key: Vec<usize> },
    /// Over any updates: all rows.
    Retract,
}

/// The rows whose place in the order is above `offset` and at most `end`. Without `order` that of their arrival.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rank {
    /// Each value of these has its own order.
    pub partition: Vec<usize>,
    pub order: Vec<SortKey>,
    pub offset: u64,
    /// `None`: all after `offset`.
    pub end: Option<u64>,
    pub strategy: RankStrategy,
    /// Whether anybody needs -U.
    pub update_before: bool,
    /// 0: never.
    #[serde(default)]
    pub state_ttl_ms: i64,
}

/// Rows in the order of a time attribute, then of `order`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TemporalSort {
    pub time: usize,
    pub time_type: LogicalType,
    pub order: Vec<SortKey>,
}

/// INTERSECT and EXCEPT: both inputs have the same columns, NULLs are equal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SemiJoin {
    /// Rows that have none equal.
    pub anti: bool,
    /// 0: never.
    #[serde(default)]
    pub state_ttl_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TableFunction {
    /// The elements of an ARRAY, MAP or MULTISET; fields of a ROW are columns.
    Unnest { ordinality: bool },
    /// The other columns as often as the BIGINT says.
    ReplicateRows,
}

/// The input's columns, then those of the function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Correlate {
    pub function: TableFunction,
    /// The function's argument.
    pub column: usize,
    /// A row for which the function gives none stays, with NULLs beside it.
    pub outer: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WindowProperty {
    Start,
    End,
    /// end - 1 ms, a rowtime.
    Time,
}

/// GROUP BY window: rows once the window closes. Output: keys, then calls, then properties.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowAggregate {
    pub window: Window,
    pub keys: Vec<usize>,
    pub calls: Vec<AggregateCall>,
    pub properties: Vec<WindowProperty>,
    /// GROUP BY TUMBLE(ts, ..): the older form, a node of another name in Flink.
    #[serde(default)]
    pub legacy: bool,
}

/// Output: the columns of the input, the rows that pass `condition`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangelogNormalize {
    pub keys: Vec<usize>,
    pub condition: Option<Expr>,
    /// Whether anybody needs -U.
    pub update_before: bool,
    /// 0: never.
    pub state_ttl_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sink {
    pub target: SinkTarget,
    /// Set where rows of one primary key may come out of order: the sink then gets the newest of them all.
    pub materialize: Option<UpsertMaterialize>,
    pub conflict: Option<ConflictStrategy>,
    /// Columns of CHAR, VARCHAR, BINARY and VARBINARY whose length is enforced before the sink.
    pub length: Option<LengthEnforcer>,
}

impl Sink {
    pub fn to(target: SinkTarget) -> Self {
        Sink { target, materialize: None, conflict: None, length: None }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpsertMaterialize {
    /// The primary key in the sink's columns.
    pub keys: Vec<usize>,
    /// By which the rows of one primary key are told apart; empty: by all columns.
    pub upsert_key: Vec<usize>,
    /// 0: never.
    pub state_ttl_ms: i64,
}

/// ON CONFLICT DO ..
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConflictStrategy {
    Nothing,
    Error,
    Deduplicate,
}

impl fmt::Display for ConflictStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConflictStrategy::Nothing => "NOTHING",
            ConflictStrategy::Error => "ERROR",
            ConflictStrategy::Deduplicate => "DEDUPLICATE",
        })
    }
}

/// `table.exec.sink.type-length-enforcer` where it is not IGNORE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LengthEnforcer {
    TrimPad,
    Error,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SinkTarget {
    /// The input's columns are the table's sink columns in order.
    Table(Arc<TableDef>),
    /// The rows of a bare SELECT, to whoever asked.
    Collect,
}

impl Op {
    /// Flink's name of the operator.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Scan(_) => "TableSourceScan",
            Op::Values(_) => "Values",
            Op::Calc(_) => "Calc",
            Op::WindowTableFunction(_) => "WindowTableFunction",
            Op::Exchange(_) => "Exchange",
            Op::GroupAggregate(_) => "GroupAggregate",
            Op::WindowAggregate(a) if a.legacy => "GroupWindowAggregate",
            Op::WindowAggregate(_) => "WindowAggregate",
            Op::Union => "Union",
            Op::ChangelogNormalize(_) => "ChangelogNormalize",
            Op::DropUpdateBefore => "DropUpdateBefore",
            Op::Expand(_) => "Expand",
            Op::Rank(rank) if !rank.partition.is_empty() => "Rank",
            Op::Rank(rank) if rank.order.is_empty() => "Limit",
            Op::Rank(_) => "SortLimit",
            Op::TemporalSort(_) => "TemporalSort",
            Op::SemiJoin(_) => "Join",
            Op::Correlate(_) => "Correlate",
            Op::Sink(_) => "Sink",
        }
    }
}

impl PhysicalPlan {
    pub fn sinks(&self) -> impl Iterator<Item = (NodeId, &Sink)> {
        self.nodes.iter().enumerate().filter_map(|(i, n)| match &n.op {
            Op::Sink(sink) => Some((i, sink)),
            _ => None,
        })
    }

    pub fn scans(&self) -> impl Iterator<Item = (NodeId, &Scan)> {
        self.nodes.iter().enumerate().filter_map(|(i, n)| match &n.op {
            Op::Scan(scan) => Some((i, scan)),
            _ => None,
        })
    }
}
