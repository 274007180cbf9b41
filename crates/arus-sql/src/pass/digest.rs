//! The identity of an operator: a hash over a canonical text of its logical subtree.
//!
//! State in checkpoints is found by it, so this text never changes for a plan that it could already describe. Columns are
//! written by name and scans without their columns, so that a sibling that reads more of a table changes nothing.

use arus_core::expr::Expr;
use arus_core::plan::{AggregateCall, SinkTarget, Uid, Window, WindowKind, WindowProperty};
use arus_core::schema::RowSchema;
use xxhash_rust::xxh3::xxh3_64;

use super::is_selection;
use crate::rel::{Rel, RelOp};

/// Of the operator of `rel`. A Calc that only chooses columns has that of its input.
pub(crate) fn digest(rel: &Rel) -> u64 {
    if let RelOp::Calc { input, condition, projection } = &rel.op
        && is_selection(condition, projection)
    {
        return digest(input);
    }
    let mut text = own(rel);
    for input in rel.inputs() {
        text.push_str(&format!("<{:016x}", digest(input)));
    }
    xxh3_64(text.as_bytes())
}

/// The uid of the n-th operator with this digest, and of the parts that it is made of (`exchange`).
pub(crate) fn uid(digest: u64, part: &str, ordinal: usize) -> Uid {
    if part.is_empty() && ordinal == 0 {
        Uid(digest)
    } else {
        Uid(xxh3_64(format!("{digest:016x}{part}#{ordinal}").as_bytes()))
    }
}

fn own(rel: &Rel) -> String {
    match &rel.op {
        RelOp::Scan { table, .. } => format!("scan {}", table.path.full()),
        RelOp::Values { rows } => {
            let rows: Vec<String> = rows.iter().map(|r| exprs(r, &rel.schema)).collect();
            format!("values {}", rows.join(";"))
        }
        RelOp::Calc { input, condition, projection } => {
            let condition = condition.as_ref().map(|c| canonical(c, &input.schema)).unwrap_or_default();
            format!("calc where {condition} select {}", exprs(projection, &input.schema))
        }
        RelOp::Window { input, window: w } => format!("window {}", window(w, &input.schema)),
        RelOp::Aggregate { input, keys, calls: c } => {
            format!("aggregate by {} calls {}", columns(keys, &input.schema), calls(c, &input.schema))
        }
        RelOp::WindowAggregate { input, window: w, keys, calls: c, properties } => {
            let properties: Vec<&str> = properties
                .iter()
                .map(|p| match p {
                    WindowProperty::Start => "start",
                    WindowProperty::End => "end",
                    WindowProperty::Time => "time",
                })
                .collect();
            format!(
                "window aggregate {} by {} calls {} properties {}",
                window(w, &input.schema),
                columns(keys, &input.schema),
                calls(c, &input.schema),
                properties.join(",")
            )
        }
        RelOp::Union { .. } => "union".to_string(),
        RelOp::Sink { target, .. } => match target {
            SinkTarget::Table(table) => format!("sink {}", table.path.full()),
            SinkTarget::Collect => "collect".to_string(),
        },
    }
}

fn window(w: &Window, schema: &RowSchema) -> String {
    match w.kind {
        WindowKind::Tumble { size_ms, offset_ms } => {
            format!("tumble {size_ms} {offset_ms} on {}", column(w.time, schema))
        }
    }
}

fn calls(calls: &[AggregateCall], schema: &RowSchema) -> String {
    let calls: Vec<String> =
        calls.iter().map(|c| format!("{}({}):{}", c.function.name(), columns(&c.args, schema), c.ty)).collect();
    calls.join(",")
}

fn columns(columns: &[usize], schema: &RowSchema) -> String {
    columns.iter().map(|c| column(*c, schema)).collect::<Vec<_>>().join(",")
}

fn exprs(exprs: &[Expr], schema: &RowSchema) -> String {
    exprs.iter().map(|e| canonical(e, schema)).collect::<Vec<_>>().join(",")
}

/// A name that stands twice is told apart by its place.
fn column(index: usize, schema: &RowSchema) -> String {
    let Some(c) = schema.columns().get(index) else {
        return format!("${index}");
    };
    let twice = schema.columns().iter().filter(|o| o.name == c.name).count() > 1;
    if twice { format!("`{}`${index}", c.name) } else { format!("`{}`", c.name) }
}

fn canonical(e: &Expr, schema: &RowSchema) -> String {
    match e {
        Expr::Column { index, .. } => column(*index, schema),
        Expr::Literal { value, ty } => format!("{value:?}:{ty}"),
        Expr::Call { function, args, ty } => format!("{function}({}):{ty}", exprs(args, schema)),
        Expr::Cast { input, ty, safe } => {
            format!("{}({} as {ty})", if *safe { "try_cast" } else { "cast" }, canonical(input, schema))
        }
        Expr::And(args) => format!("and({})", exprs(args, schema)),
        Expr::Or(args) => format!("or({})", exprs(args, schema)),
        Expr::Case { branches, otherwise, ty } => {
            let branches: Vec<String> = branches
                .iter()
                .map(|(c, v)| format!("when {} then {}", canonical(c, schema), canonical(v, schema)))
                .collect();
            format!("case({} else {}):{ty}", branches.join(" "), canonical(otherwise, schema))
        }
        Expr::Field { input, index, .. } => format!("{}.{index}", canonical(input, schema)),
    }
}
