//! The identity of an operator: a hash over a canonical text of its logical subtree.
//!
//! State in checkpoints is found by it, so this text never changes for a plan that it could already describe. A column is
//! described by what it holds (a table's column, an expression over such), never by an alias or its place, and a scan
//! stands without its columns: another alias, another order or a sibling that reads more of a table change nothing.

use arus_core::expr::Expr;
use arus_core::plan::{
    AggregateCall, ConflictStrategy, SinkTarget, SortKey, TableFunction, Uid, Window, WindowKind, WindowProperty,
};
use xxhash_rust::xxh3::xxh3_64;

use super::is_selection;
use crate::rel::{Rel, RelOp};

/// Of the operator of `rel`. A Calc that only chooses columns has that of its input.
pub(crate) fn digest(rel: &Rel) -> u64 {
    Described::new(rel).digest
}

/// The uid of the n-th operator with this digest, and of the parts that it is made of (`exchange`).
pub(crate) fn uid(digest: u64, part: &str, ordinal: usize) -> Uid {
    if part.is_empty() && ordinal == 0 {
        Uid(digest)
    } else {
        Uid(xxh3_64(format!("{digest:016x}{part}#{ordinal}").as_bytes()))
    }
}

/// An operator with a description of each of its columns.
struct Described {
    digest: u64,
    columns: Vec<String>,
}

impl Described {
    fn new(rel: &Rel) -> Self {
        let inputs: Vec<Described> = rel.inputs().into_iter().map(Described::new).collect();
        let below: &[String] = inputs.first().map_or(&[], |i| &i.columns);
        let numbered = |letter: &str| (0..rel.schema.len()).map(|i| format!("{letter}{i}")).collect::<Vec<_>>();
        let (text, columns) = match &rel.op {
            RelOp::Scan { table, columns } => {
                let names = columns.iter().map(|c| format!("`{}`", table.columns[*c].name)).collect();
                (format!("scan {}", table.path.full()), names)
            }
            RelOp::Values { rows } => {
                let rows: Vec<String> = rows.iter().map(|r| exprs(r, below)).collect();
                (format!("values {}", rows.join(";")), numbered("v"))
            }
            RelOp::Calc { condition, projection, .. } => {
                let columns: Vec<String> = projection.iter().map(|e| held(e, below)).collect();
                if is_selection(condition, projection) {
                    let digest = inputs.first().map_or(0, |i| i.digest);
                    return Described { digest, columns };
                }
                let condition = condition.as_ref().map(|c| canonical(c, below)).unwrap_or_default();
                (format!("calc where {condition} select {}", exprs(projection, below)), columns)
            }
            RelOp::Window { window: w, .. } => {
                let columns = below.iter().cloned().chain(["start", "end", "time"].map(String::from)).collect();
                (format!("window {}", window(w, below)), columns)
            }
            RelOp::Aggregate { keys, calls, .. } => {
                let columns = keys.iter().map(|k| column(*k, below)).chain(calls.iter().map(|c| call(c, below)));
                let columns: Vec<String> = columns.collect();
                (format!("aggregate by {} {}", keys.len(), columns.join(",")), columns)
            }
            RelOp::WindowAggregate { window: w, keys, calls, properties, .. } => {
                let properties = properties.iter().map(|p| match p {
                    WindowProperty::Start => "start".to_string(),
                    WindowProperty::End => "end".to_string(),
                    WindowProperty::Time => "time".to_string(),
                });
                let columns: Vec<String> = keys
                    .iter()
                    .map(|k| column(*k, below))
                    .chain(calls.iter().map(|c| call(c, below)))
                    .chain(properties)
                    .collect();
                let text = format!("window aggregate {} by {} {}", window(w, below), keys.len(), columns.join(","));
                (text, columns)
            }
            RelOp::Union { .. } => {
                let columns: Vec<String> = inputs.iter().map(|i| i.columns.join(",")).collect();
                (format!("union {}", columns.join(";")), numbered("u"))
            }
            RelOp::ChangelogNormalize { keys, condition, .. } => {
                let keys: Vec<String> = keys.iter().map(|k| column(*k, below)).collect();
                let condition = condition.as_ref().map(|c| canonical(c, below)).unwrap_or_default();
                (format!("normalize by {} where {condition}", keys.join(",")), below.to_vec())
            }
            RelOp::Expand { projections, .. } => {
                let width = rel.schema.len();
                let columns = (0..width).map(|i| {
                    let each: Vec<String> = projections.iter().map(|p| canonical(&p[i], below)).collect();
                    if each.iter().all(|e| *e == each[0]) { each[0].clone() } else { format!("[{}]", each.join("|")) }
                });
                let columns: Vec<String> = columns.collect();
                (format!("expand {}", columns.join(",")), columns)
            }
            RelOp::Rank { order, offset, end, .. } => {
                let end = end.map_or_else(String::new, |end| end.to_string());
                (format!("rank {} {offset} {end}", sort_keys(order, below)), below.to_vec())
            }
            RelOp::TemporalSort { time, order, .. } => {
                (format!("sort {} {}", column(*time, below), sort_keys(order, below)), below.to_vec())
            }
            RelOp::SemiJoin { anti, .. } => {
                let columns: Vec<String> = inputs.iter().map(|i| i.columns.join(",")).collect();
                (format!("{} {}", if *anti { "anti" } else { "semi" }, columns.join(";")), below.to_vec())
            }
            RelOp::Correlate { function, column: argument, outer, .. } => {
                let function = match function {
                    TableFunction::Unnest { ordinality: false } => "unnest",
                    TableFunction::Unnest { ordinality: true } => "unnest numbered",
                    TableFunction::ReplicateRows => "replicate",
                };
                let outer = if *outer { "outer " } else { "" };
                let made = below.len()..rel.schema.len();
                let columns = below.iter().cloned().chain(made.map(|i| format!("f{i}"))).collect();
                (format!("{outer}{function} {}", column(*argument, below)), columns)
            }
            RelOp::Sink { target, conflict, .. } => {
                let mut text = match target {
                    SinkTarget::Table(table) => format!("sink {}", table.path.full()),
                    SinkTarget::Collect => "collect".to_string(),
                };
                // What they keep is not what DO DEDUPLICATE keeps.
                if let Some(strategy @ (ConflictStrategy::Nothing | ConflictStrategy::Error)) = conflict {
                    text.push_str(&format!(" on conflict {strategy}"));
                }
                (text, below.to_vec())
            }
        };
        let inputs: String = inputs.iter().map(|i| format!("<{:016x}", i.digest)).collect();
        Described { digest: xxh3_64(format!("{text}{inputs}").as_bytes()), columns }
    }
}

/// What a column of a Calc holds; a long text is cut to its hash, so that layers do not multiply it.
fn held(e: &Expr, below: &[String]) -> String {
    const LONG: usize = 80;
    let text = canonical(e, below);
    if text.len() <= LONG { text } else { format!("#{:016x}", xxh3_64(text.as_bytes())) }
}

fn column(index: usize, below: &[String]) -> String {
    below.get(index).cloned().unwrap_or_else(|| format!("${index}"))
}

fn window(w: &Window, below: &[String]) -> String {
    let mut text = match w.kind {
        WindowKind::Tumble { size_ms, offset_ms } => format!("tumble {size_ms} {offset_ms}"),
        WindowKind::Hop { size_ms, slide_ms, offset_ms } => format!("hop {size_ms} {slide_ms} {offset_ms}"),
        WindowKind::Cumulate { size_ms, step_ms, offset_ms } => format!("cumulate {size_ms} {step_ms} {offset_ms}"),
        WindowKind::Session { gap_ms } => {
            let partition: Vec<String> = w.partition.iter().map(|k| column(*k, below)).collect();
            format!("session {gap_ms} of {}", partition.join(","))
        }
    };
    match &w.attached {
        None => text.push_str(&format!(" on {}", column(w.time, below))),
        Some(a) => text.push_str(&format!(" in {} {}", column(a.start, below), column(a.end, below))),
    }
    text
}

fn call(c: &AggregateCall, below: &[String]) -> String {
    let args: Vec<String> = c.args.iter().map(|a| column(*a, below)).collect();
    let distinct = if c.distinct { "distinct " } else { "" };
    let filter = c.filter.map_or_else(String::new, |f| format!(" filter {}", column(f, below)));
    format!("{}({distinct}{}):{}{filter}", c.function.name(), args.join(","), c.ty)
}

fn sort_keys(order: &[SortKey], below: &[String]) -> String {
    let text = |k: &SortKey| {
        let direction = if k.descending { "desc" } else { "asc" };
        format!("{} {direction} {}", column(k.column, below), if k.nulls_first { "first" } else { "last" })
    };
    order.iter().map(text).collect::<Vec<_>>().join(",")
}

fn exprs(exprs: &[Expr], below: &[String]) -> String {
    exprs.iter().map(|e| canonical(e, below)).collect::<Vec<_>>().join(",")
}

fn canonical(e: &Expr, below: &[String]) -> String {
    match e {
        Expr::Column { index, .. } => column(*index, below),
        Expr::Literal { value, ty } => format!("{value:?}:{ty}"),
        Expr::Call { function, args, ty } => format!("{function}({}):{ty}", exprs(args, below)),
        Expr::Cast { input, ty, safe } => {
            format!("{}({} as {ty})", if *safe { "try_cast" } else { "cast" }, canonical(input, below))
        }
        Expr::And(args) => format!("and({})", exprs(args, below)),
        Expr::Or(args) => format!("or({})", exprs(args, below)),
        Expr::Case { branches, otherwise, ty } => {
            let branches: Vec<String> = branches
                .iter()
                .map(|(c, v)| format!("when {} then {}", canonical(c, below), canonical(v, below)))
                .collect();
            format!("case({} else {}):{ty}", branches.join(" "), canonical(otherwise, below))
        }
        Expr::Field { input, index, .. } => format!("{}.{index}", canonical(input, below)),
    }
}
