//! What Arus knows of a plan beyond Flink's trees: the changes and keys of each result, the watermark of each source, and
//! the state of each operator with its size and what bounds it.

use arus_core::catalog::DEFAULT_CATALOG;
use arus_core::function::AggregateFunction;
use arus_core::plan::{AggregateCall, Node, NodeId, Op, PhysicalPlan, RankStrategy, SinkTarget, WindowKind};
use arus_core::schema::RowSchema;
use arus_core::types::{LogicalType, TypeKind};

use super::{Notation, columns, expr_text, window_text};

/// The sections behind the plans.
pub(super) fn sections(plan: &PhysicalPlan) -> String {
    let mut text = String::from("== Changes ==\n");
    for (id, sink) in plan.sinks() {
        let name = match &sink.target {
            SinkTarget::Table(table) => table.path.full(),
            SinkTarget::Collect => "result".to_string(),
        };
        text.push_str(&format!("{name}: {}\n", changes(plan, id)));
    }
    for (id, scan) in plan.scans() {
        let schema = &plan.nodes[id].schema;
        let watermark = match &scan.watermark {
            Some(w) => format!("watermark {}", expr_text(&w.expr, schema, Notation::Infix)),
            None => "no watermark".to_string(),
        };
        let path = &scan.table.path;
        text.push_str(&format!(
            "{DEFAULT_CATALOG}.{}.{}: reads {}, {watermark}\n",
            path.database, path.name, plan.nodes[id].mode
        ));
    }
    text.push_str("\n== State ==\n");
    let notes: Vec<String> = (0..plan.nodes.len()).filter_map(|id| state(plan, id)).map(|s| s.to_string()).collect();
    if notes.is_empty() {
        text.push_str("none\n");
    }
    for note in notes {
        text.push_str(&note);
        text.push('\n');
    }
    text
}

/// What reaches a sink, and by which key.
fn changes(plan: &PhysicalPlan, id: NodeId) -> String {
    let input = &plan.nodes[plan.nodes[id].inputs[0]];
    let keys: Vec<String> = input.upsert_keys.iter().map(|k| format!("[{}]", columns(k, &input.schema))).collect();
    let keys = match keys.as_slice() {
        _ if input.mode.is_insert_only() => "rows are only appended".to_string(),
        [] => "changes without a key".to_string(),
        keys => format!("changes by the key {}", keys.join(" or ")),
    };
    format!("{}, {keys}", input.mode)
}

/// State that grows without bound, with the remedy.
pub(crate) fn state_notes(plan: &PhysicalPlan) -> Vec<String> {
    (0..plan.nodes.len()).filter_map(|id| unbounded(plan, id)).collect()
}

/// What grows without bound in one operator.
pub(super) fn unbounded(plan: &PhysicalPlan, id: NodeId) -> Option<String> {
    state(plan, id).filter(|s| s.bound.is_none()).map(|s| s.to_string())
}

/// The state of one operator.
struct State {
    operator: String,
    /// One of these is kept for each value of the key.
    kept: &'static str,
    key: String,
    bytes: usize,
    /// When an entry goes; `None`: never.
    bound: Option<String>,
    remedy: &'static str,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let State { operator, kept, key, bytes, bound, remedy } = self;
        let each = if key.is_empty() { kept.to_string() } else { format!("{kept} per distinct ({key})") };
        match bound {
            Some(bound) => write!(f, "{operator}: keeps {each}, about {bytes} bytes each, {bound}"),
            None => write!(f, "{operator}: keeps {each}, about {bytes} bytes each, for ever; {remedy}"),
        }
    }
}

const TTL: &str = "SET 'table.exec.state.ttl' = '1 d' forgets what nothing touched for a day";
const TTL_OR_WINDOW: &str =
    "group by a window, or SET 'table.exec.state.ttl' = '1 d', which forgets what nothing touched for a day";

fn state(plan: &PhysicalPlan, id: NodeId) -> Option<State> {
    let node = &plan.nodes[id];
    let input = node.inputs.first().map(|i| &plan.nodes[*i])?;
    let ttl = |ms: i64| (ms > 0).then(|| format!("until nothing has touched it for {}", super::duration(ms)));
    let named = |details: String| format!("{}({details})", node.op.name());
    Some(match &node.op {
        Op::GroupAggregate(a) => {
            let key = columns(&a.keys, &input.schema);
            let details = if key.is_empty() { String::new() } else { format!("groupBy=[{key}]") };
            let keeps = a.calls.iter().find(|call| keeps_values(call)).map(|call| call.function.name());
            // A single group does not grow, unless it keeps the values that it has seen.
            let bound = match keeps {
                None if key.is_empty() => Some("which does not grow".into()),
                _ => ttl(a.state_ttl_ms),
            };
            State {
                operator: named(details),
                kept: if keeps.is_some() {
                    "one entry with every value of a DISTINCT or listing aggregate"
                } else {
                    "one entry"
                },
                key,
                bytes: ENTRY_BYTES + row_bytes(&input.schema, &a.keys) + calls_bytes(&a.calls, input),
                bound,
                remedy: TTL_OR_WINDOW,
            }
        }
        Op::WindowAggregate(a) => {
            let key = columns(&a.keys, &input.schema);
            let window = window_text(&a.window, &input.schema);
            State {
                operator: named(format!("window=[{window}]")),
                kept: "one entry a window",
                key,
                bytes: ENTRY_BYTES + row_bytes(&input.schema, &a.keys) + calls_bytes(&a.calls, input),
                bound: Some("until the watermark has passed the window's end".into()),
                remedy: "",
            }
        }
        Op::ChangelogNormalize(n) => State {
            operator: named(format!("key=[{}]", columns(&n.keys, &input.schema))),
            kept: "the row",
            key: columns(&n.keys, &input.schema),
            bytes: ENTRY_BYTES + whole_row_bytes(input),
            bound: ttl(n.state_ttl_ms),
            remedy: TTL,
        },
        Op::Rank(rank) => {
            let only = columns(&rank.partition, &input.schema);
            // What is kept of each partition is bounded where rows beyond the limit are never asked for again.
            let limit = rank.end.filter(|_| rank.strategy != RankStrategy::Retract);
            let grows = limit.is_none() || !only.is_empty();
            State {
                operator: named(match rank.order.as_slice() {
                    [] => super::places(rank.offset, rank.end),
                    order => format!("orderBy=[{}]", super::sort_text(order, &input.schema)),
                }),
                kept: if limit.is_some() { "the rows within the limit" } else { "every row" },
                key: only,
                bytes: ENTRY_BYTES + 2 * whole_row_bytes(input),
                bound: if grows { ttl(rank.state_ttl_ms) } else { Some("which does not grow".into()) },
                remedy: TTL,
            }
        }
        Op::TemporalSort(sort) => State {
            operator: named(format!("orderBy=[{}]", columns(&[sort.time], &input.schema))),
            kept: "every row that waits",
            key: String::new(),
            bytes: ENTRY_BYTES + whole_row_bytes(input),
            bound: Some("until the watermark has passed its time".into()),
            remedy: "",
        },
        Op::SemiJoin(join) => {
            let all: Vec<usize> = (0..input.schema.len()).collect();
            State {
                operator: named(format!("joinType=[{}]", if join.anti { "LeftAntiJoin" } else { "LeftSemiJoin" })),
                kept: "two counts",
                key: columns(&all, &input.schema),
                bytes: ENTRY_BYTES + whole_row_bytes(input) + 2 * ACCUMULATOR_BYTES,
                bound: ttl(join.state_ttl_ms),
                remedy: TTL,
            }
        }
        Op::WindowTableFunction(window) if matches!(window.kind, WindowKind::Session { .. }) => State {
            operator: named(format!("window=[{}]", window_text(window, &input.schema))),
            kept: "every row",
            key: String::new(),
            bytes: ENTRY_BYTES + whole_row_bytes(input),
            bound: Some("until the watermark has passed its session's end".into()),
            remedy: "",
        },
        Op::Sink(sink) => {
            let materialize = sink.materialize.as_ref()?;
            let SinkTarget::Table(table) = &sink.target else { return None };
            State {
                operator: named(format!("table=[{}], upsertMaterialize=[true]", table.path.full())),
                kept: "every row",
                key: columns(&materialize.keys, &input.schema),
                bytes: ENTRY_BYTES + whole_row_bytes(input),
                bound: ttl(materialize.state_ttl_ms),
                remedy: "group by the sink's PRIMARY KEY, so that nothing has to be kept",
            }
        }
        _ => return None,
    })
}

/// Of an entry besides what it holds.
const ENTRY_BYTES: usize = 48;
const ACCUMULATOR_BYTES: usize = 16;
/// Different values of a group, where all are kept: nobody knows, but they count.
const VALUES_OF_A_GROUP: usize = 8;
/// A text or list of unknown length.
const TEXT_BYTES: usize = 24;

/// Whether an entry of the call grows with the values that it has seen.
fn keeps_values(call: &AggregateCall) -> bool {
    use AggregateFunction as F;
    let listed = matches!(
        call.function,
        F::Listagg
            | F::Collect
            | F::ArrayAgg
            | F::ArrayAggIgnoreNulls
            | F::Percentile
            | F::JsonArrayAgg
            | F::JsonObjectAgg
    );
    let distinct = call.distinct && !matches!(call.function, F::Min | F::Max);
    listed || distinct
}

fn calls_bytes(calls: &[AggregateCall], input: &Node) -> usize {
    let of = |call: &AggregateCall| match keeps_values(call) {
        true => ACCUMULATOR_BYTES + VALUES_OF_A_GROUP * (ACCUMULATOR_BYTES + row_bytes(&input.schema, &call.args)),
        false => ACCUMULATOR_BYTES,
    };
    calls.iter().map(of).sum()
}

fn row_bytes(schema: &RowSchema, columns: &[usize]) -> usize {
    columns.iter().filter_map(|c| schema.columns().get(*c)).map(|c| value_bytes(&c.ty)).sum()
}

fn whole_row_bytes(node: &Node) -> usize {
    node.schema.types().map(value_bytes).sum()
}

fn value_bytes(ty: &LogicalType) -> usize {
    match &ty.kind {
        TypeKind::Null | TypeKind::Boolean | TypeKind::TinyInt => 1,
        TypeKind::SmallInt => 2,
        TypeKind::Int | TypeKind::Float | TypeKind::Date | TypeKind::Time(_) => 4,
        TypeKind::Decimal { precision, .. } if *precision > 18 => 16,
        TypeKind::Char(n) | TypeKind::Binary(n) => (*n as usize).min(TEXT_BYTES),
        TypeKind::Varchar(_) | TypeKind::Varbinary(_) => TEXT_BYTES,
        TypeKind::Array(_) | TypeKind::Map(..) | TypeKind::Multiset(_) => 2 * TEXT_BYTES,
        TypeKind::Row(fields) => fields.iter().map(|f| value_bytes(&f.ty)).sum(),
        _ => 8,
    }
}
