//! Rewrites of the logical plan that keep its rows: neighbouring calculations become one, unread columns go.

pub(crate) mod digest;
mod never;
pub(crate) mod normalize;
mod remove_aggregate;

use arus_core::Datum;
use arus_core::catalog::TableDef;
use arus_core::expr::Expr;
use arus_core::function::AggregateFunction;
use arus_core::plan::{AggregateCall, AttachedWindow, Window};
use arus_core::schema::RowSchema;

use crate::rel::{Rel, RelOp, is_identity};

/// The expression with every column replaced by its value.
pub(crate) fn substitute(e: &Expr, values: &[Expr]) -> Expr {
    if let Expr::Column { index, .. } = e {
        return values[*index].clone();
    }
    let mut e = e.clone();
    for child in e.children_mut() {
        *child = substitute(child, values);
    }
    e
}

/// Merges a Calc into the one above it, and drops those that change nothing.
pub(crate) fn merge(rel: Rel) -> Rel {
    let rel = emptied(rel.map_inputs(&mut merge));
    let RelOp::Calc { input, condition, projection } = rel.op else {
        return rel;
    };
    let schema = rel.schema;
    if condition.as_ref().is_some_and(never::never) {
        return match stays(&input) {
            true => Rel { op: RelOp::Calc { input: Box::new(drained(*input)), condition: None, projection }, schema },
            false => Rel { op: RelOp::Values { rows: vec![] }, schema },
        };
    }
    if condition.is_none() && is_identity(&projection, input.schema.len()) {
        return Rel { schema, ..*input };
    }
    let input = *input;
    match input.op {
        RelOp::Calc { input: below, condition: inner_condition, projection: inner }
            if mergeable(&inner, &condition, &projection) =>
        {
            let projection = projection.iter().map(|e| substitute(e, &inner)).collect();
            let outer = condition.map(|c| substitute(&c, &inner));
            // The inner condition stands first: it guards the outer one.
            let condition = match (inner_condition, outer) {
                (Some(a), Some(b)) => Some(crate::bind::and(vec![a, b])),
                (a, b) => a.or(b),
            };
            merge_top(Rel { op: RelOp::Calc { input: below, condition, projection }, schema })
        }
        op => {
            let input = Box::new(Rel { op, schema: input.schema });
            Rel { op: RelOp::Calc { input, condition, projection }, schema }
        }
    }
}

/// Of an input without rows nothing comes, but the one row of an aggregate without keys: as in Flink it is told at once.
fn emptied(rel: Rel) -> Rel {
    let is_empty = |r: &Rel| matches!(&r.op, RelOp::Values { rows } if rows.is_empty());
    let rows = match &rel.op {
        RelOp::Scan { .. } | RelOp::Values { .. } | RelOp::Sink { .. } => return rel,
        _ if stays(&rel) => return rel,
        RelOp::Aggregate { input, keys, calls, .. } if keys.is_empty() && is_empty(input) => match of_no_rows(calls) {
            Some(row) => vec![row],
            None => return rel,
        },
        RelOp::SemiJoin { left, right, anti } if is_empty(left) || !anti && is_empty(right) => vec![],
        RelOp::SemiJoin { .. } => return rel,
        _ if rel.inputs().into_iter().all(is_empty) => vec![],
        _ => return rel,
    };
    Rel { op: RelOp::Values { rows }, schema: rel.schema }
}

/// Whether Flink does not see that it gives no rows: then the one row of an aggregate above it never comes.
fn stays(rel: &Rel) -> bool {
    match &rel.op {
        RelOp::Correlate { .. } => true,
        RelOp::Calc { input, .. } => stays(input),
        _ => false,
    }
}

/// The same over no rows.
fn drained(rel: Rel) -> Rel {
    match rel.op {
        RelOp::Calc { .. } | RelOp::Correlate { .. } => rel.map_inputs(&mut drained),
        _ => Rel { op: RelOp::Values { rows: vec![] }, schema: rel.schema },
    }
}

/// The values over no rows; `None` where Flink does not know them.
fn of_no_rows(calls: &[AggregateCall]) -> Option<Vec<Expr>> {
    use AggregateFunction::{Avg, Count, Max, Min, Sum};
    let value = |call: &AggregateCall| match call.function {
        Count => Some(Expr::literal(Datum::BigInt(0), call.ty.clone())),
        Sum | Avg | Min | Max => Some(Expr::literal(Datum::Null, call.ty.clone())),
        _ => None,
    };
    calls.iter().map(value).collect()
}

/// A merged Calc may have become one that changes nothing.
fn merge_top(rel: Rel) -> Rel {
    match rel.op {
        RelOp::Calc { input, condition: None, projection } if is_identity(&projection, input.schema.len()) => {
            Rel { schema: rel.schema, ..*input }
        }
        op => Rel { op, schema: rel.schema },
    }
}

/// Whether no expression of the inner Calc would be computed twice; but one that can fail is, where it is needed for
/// some rows alone: as in Flink it then fails those alone.
fn mergeable(inner: &[Expr], condition: &Option<Expr>, projection: &[Expr]) -> bool {
    let mut uses = vec![0_usize; inner.len()];
    for e in projection.iter().chain(condition) {
        e.visit_columns(&mut |i| uses[i] += 1);
    }
    let mut always = vec![false; inner.len()];
    match condition {
        Some(condition) => needed_always(condition, &mut always),
        None => projection.iter().for_each(|e| needed_always(e, &mut always)),
    }
    inner.iter().zip(uses).zip(always).all(|((e, uses), always)| {
        let again = || !always && can_fail(e) && is_deterministic(e);
        uses <= 1 || matches!(e, Expr::Column { .. } | Expr::Literal { .. }) || again()
    })
}

/// Marks the columns that are read for every row.
fn needed_always(e: &Expr, always: &mut [bool]) {
    match e {
        Expr::Column { index, .. } => always[*index] = true,
        // The first decides whether the others are needed.
        Expr::And(args) | Expr::Or(args) => args.iter().take(1).for_each(|e| needed_always(e, always)),
        Expr::Case { branches, .. } => branches.iter().take(1).for_each(|(c, _)| needed_always(c, always)),
        other => other.children().into_iter().for_each(|e| needed_always(e, always)),
    }
}

fn can_fail(e: &Expr) -> bool {
    const NEVER: [&str; 18] = [
        "=",
        "<>",
        "<",
        "<=",
        ">",
        ">=",
        "+",
        "-",
        "*",
        "||",
        "NOT",
        "IS NULL",
        "IS NOT NULL",
        "IS TRUE",
        "IS FALSE",
        "UPPER",
        "LOWER",
        "CHAR_LENGTH",
    ];
    let own = match e {
        Expr::Call { function, .. } => !NEVER.contains(&function.as_str()),
        Expr::Cast { ty, safe, .. } => !safe && !ty.kind.is_string(),
        _ => false,
    };
    own || e.children().into_iter().any(can_fail)
}

/// Whether the same row always gives the same value.
fn is_deterministic(e: &Expr) -> bool {
    const CHANGING: [&str; 12] = [
        "RAND",
        "RAND_INTEGER",
        "UUID",
        "NOW",
        "PROCTIME",
        "LOCALTIME",
        "LOCALTIMESTAMP",
        "CURRENT_DATE",
        "CURRENT_TIME",
        "CURRENT_TIMESTAMP",
        "CURRENT_ROW_TIMESTAMP",
        "CURRENT_WATERMARK",
    ];
    let own = !matches!(e, Expr::Call { function, .. } if CHANGING.contains(&function.as_str()));
    own && e.children().into_iter().all(is_deterministic)
}

/// The same rows with only the columns `required`, in that order. A row keeps at least one column.
pub(crate) fn prune(rel: Rel, required: &[usize]) -> Rel {
    let schema: RowSchema = required.iter().map(|i| rel.schema.columns()[*i].clone()).collect();
    match rel.op {
        RelOp::Scan { table, columns } => {
            let columns = required.iter().map(|i| columns[*i]).collect();
            Rel { op: RelOp::Scan { table, columns }, schema }
        }
        RelOp::Values { rows } => {
            let rows = rows.iter().map(|row| required.iter().map(|i| row[*i].clone()).collect()).collect();
            Rel { op: RelOp::Values { rows }, schema }
        }
        RelOp::Calc { input, condition, projection } => {
            let mut projection: Vec<Expr> = required.iter().map(|i| projection[*i].clone()).collect();
            let mut condition = condition;
            let mut needed = Columns::default();
            for e in projection.iter().chain(&condition) {
                e.visit_columns(&mut |i| needed.add(i));
            }
            let needed = needed.or_one_of(&input);
            let input = Box::new(prune(*input, &needed));
            for e in projection.iter_mut().chain(&mut condition) {
                e.map_columns(&|i| place(&needed, i));
            }
            Rel { op: RelOp::Calc { input, condition, projection }, schema }
        }
        RelOp::Window { input, window } => {
            let width = input.schema.len();
            let mut needed = Columns::default();
            required.iter().filter(|i| **i < width).for_each(|i| needed.add(*i));
            needed.add(window.time);
            window.partition.iter().for_each(|k| needed.add(*k));
            let needed = needed.0;
            let pruned = prune(*input, &needed);
            let full: RowSchema =
                pruned.schema.columns().iter().chain(&rel.schema.columns()[width..]).cloned().collect();
            let kept: Vec<usize> = required
                .iter()
                .map(|i| if *i < width { place(&needed, *i) } else { needed.len() + (*i - width) })
                .collect();
            let window = moved(window, &needed);
            let rel = Rel { op: RelOp::Window { input: Box::new(pruned), window }, schema: full };
            select(rel, &kept, schema)
        }
        RelOp::Aggregate { input, keys, mut calls, ttl_ms } => {
            let base = keys.len();
            let kept_calls: Vec<usize> = (0..calls.len()).filter(|c| required.contains(&(base + c))).collect();
            calls = kept_calls.iter().map(|c| calls[*c].clone()).collect();
            let mut needed = Columns::default();
            keys.iter().copied().chain(calls.iter().flat_map(|c| c.columns())).for_each(|i| needed.add(i));
            let needed = needed.or_one_of(&input);
            let full: RowSchema =
                (0..base).chain(kept_calls.iter().map(|c| base + c)).map(|i| rel.schema.columns()[i].clone()).collect();
            let kept: Vec<usize> =
                required.iter().map(|i| if *i < base { *i } else { base + place(&kept_calls, *i - base) }).collect();
            let keys = keys.iter().map(|k| place(&needed, *k)).collect();
            calls.iter_mut().for_each(|c| c.map_columns(|column| place(&needed, column)));
            let input = Box::new(prune(*input, &needed));
            select(Rel { op: RelOp::Aggregate { input, keys, calls, ttl_ms }, schema: full }, &kept, schema)
        }
        RelOp::WindowAggregate { input, window, keys, mut calls, properties, legacy } => {
            let mut needed = Columns::default();
            keys.iter().copied().chain(calls.iter().flat_map(|c| c.columns())).for_each(|i| needed.add(i));
            needed.add(window.time);
            window.attached.iter().for_each(|a| needed.add(a.start));
            let needed = needed.0;
            let keys = keys.iter().map(|k| place(&needed, *k)).collect();
            calls.iter_mut().for_each(|c| c.map_columns(|column| place(&needed, column)));
            let window = moved(window, &needed);
            let input = Box::new(prune(*input, &needed));
            let op = RelOp::WindowAggregate { input, window, keys, calls, properties, legacy };
            select(Rel { op, schema: rel.schema.clone() }, required, schema)
        }
        RelOp::Union { inputs } => {
            let inputs = inputs.into_iter().map(|r| prune(r, required)).collect();
            Rel { op: RelOp::Union { inputs }, schema }
        }
        RelOp::ChangelogNormalize { input, keys, mut condition } => {
            let mut needed = Columns::default();
            required.iter().chain(&keys).for_each(|i| needed.add(*i));
            condition.iter().for_each(|c| c.visit_columns(&mut |i| needed.add(i)));
            let needed = needed.0;
            let full: RowSchema = needed.iter().map(|i| rel.schema.columns()[*i].clone()).collect();
            let kept: Vec<usize> = required.iter().map(|i| place(&needed, *i)).collect();
            let keys = keys.iter().map(|k| place(&needed, *k)).collect();
            condition.iter_mut().for_each(|c| c.map_columns(&|i| place(&needed, i)));
            let input = Box::new(prune(*input, &needed));
            select(Rel { op: RelOp::ChangelogNormalize { input, keys, condition }, schema: full }, &kept, schema)
        }
        RelOp::Expand { input, projections } => {
            let mut projections: Vec<Vec<Expr>> =
                projections.iter().map(|p| required.iter().map(|i| p[*i].clone()).collect()).collect();
            let mut needed = Columns::default();
            for e in projections.iter().flatten() {
                e.visit_columns(&mut |i| needed.add(i));
            }
            let needed = needed.or_one_of(&input);
            let input = Box::new(prune(*input, &needed));
            for e in projections.iter_mut().flatten() {
                e.map_columns(&|i| place(&needed, i));
            }
            Rel { op: RelOp::Expand { input, projections }, schema }
        }
        RelOp::Rank { input, mut order, offset, end } => {
            // By its key a row is known again when it is updated.
            let keys = remove_aggregate::unique_keys(&input).concat();
            let (input, needed) = prune_to(*input, required, order.iter().map(|k| k.column).chain(keys));
            order.iter_mut().for_each(|k| k.column = place(&needed, k.column));
            let (full, kept) = (input.schema.clone(), places(&needed, required));
            select(Rel { op: RelOp::Rank { input: Box::new(input), order, offset, end }, schema: full }, &kept, schema)
        }
        RelOp::TemporalSort { input, time, mut order } => {
            let sorted = order.iter().map(|k| k.column).chain([time]);
            let (input, needed) = prune_to(*input, required, sorted);
            order.iter_mut().for_each(|k| k.column = place(&needed, k.column));
            let (full, kept) = (input.schema.clone(), places(&needed, required));
            let op = RelOp::TemporalSort { input: Box::new(input), time: place(&needed, time), order };
            select(Rel { op, schema: full }, &kept, schema)
        }
        RelOp::SemiJoin { left, right, anti } => {
            // Whole rows are compared.
            let all: Vec<usize> = (0..left.schema.len()).collect();
            let op = RelOp::SemiJoin { left: Box::new(prune(*left, &all)), right: Box::new(prune(*right, &all)), anti };
            select(Rel { op, schema: rel.schema.clone() }, required, schema)
        }
        RelOp::Correlate { input, function, column, outer } => {
            let width = input.schema.len();
            let (below, needed) = prune_to(
                *input,
                required.iter().filter(|i| **i < width).copied().collect::<Vec<_>>().as_slice(),
                [column],
            );
            let full = below.schema.columns().iter().chain(&rel.schema.columns()[width..]).cloned().collect();
            let kept: Vec<usize> = required
                .iter()
                .map(|i| if *i < width { place(&needed, *i) } else { needed.len() + (*i - width) })
                .collect();
            let column = place(&needed, column);
            let op = RelOp::Correlate { input: Box::new(below), function, column, outer };
            select(Rel { op, schema: full }, &kept, schema)
        }
        RelOp::Sink { input, target, conflict } => {
            let all: Vec<usize> = (0..input.schema.len()).collect();
            let input = Box::new(prune(*input, &all));
            Rel { op: RelOp::Sink { input, target, conflict }, schema: rel.schema }
        }
    }
}

/// The window over the columns `needed` of its input.
fn moved(window: Window, needed: &[usize]) -> Window {
    Window {
        time: place(needed, window.time),
        attached: window.attached.map(|a| AttachedWindow { start: place(needed, a.start), end: place(needed, a.end) }),
        partition: window.partition.iter().map(|k| place(needed, *k)).collect(),
        ..window
    }
}

/// `rel` with the columns `required` and `more` alone, and which those are.
fn prune_to(rel: Rel, required: &[usize], more: impl IntoIterator<Item = usize>) -> (Rel, Vec<usize>) {
    let mut needed = Columns::default();
    required.iter().copied().chain(more).for_each(|i| needed.add(i));
    let needed = needed.or_one_of(&rel);
    (prune(rel, &needed), needed)
}

fn places(columns: &[usize], of: &[usize]) -> Vec<usize> {
    of.iter().map(|column| place(columns, *column)).collect()
}

/// `rel` with the columns `kept` under the names of `schema`.
fn select(rel: Rel, kept: &[usize], schema: RowSchema) -> Rel {
    let projection: Vec<Expr> = kept.iter().map(|i| rel.column(*i)).collect();
    if is_identity(&projection, rel.schema.len()) {
        return Rel { schema, ..rel };
    }
    Rel { op: RelOp::Calc { input: Box::new(rel), condition: None, projection }, schema }
}

fn place(columns: &[usize], column: usize) -> usize {
    columns.iter().position(|c| *c == column).expect("every column that is read was collected")
}

/// Columns in ascending order, each once.
#[derive(Default)]
struct Columns(Vec<usize>);

impl Columns {
    fn add(&mut self, column: usize) {
        if let Err(at) = self.0.binary_search(&column) {
            self.0.insert(at, column);
        }
    }

    /// A scan that only counts rows reads the column that is read anyway: the watermark's.
    fn or_one_of(self, input: &Rel) -> Vec<usize> {
        if !self.0.is_empty() {
            return self.0;
        }
        match &input.op {
            RelOp::Scan { table, columns } => {
                let time = table.watermark.as_ref().and_then(|w| columns.iter().position(|c| *c == w.column));
                vec![time.unwrap_or(0)]
            }
            _ => vec![0],
        }
    }
}

/// Every scan of the roots with its columns.
pub(crate) fn scans<'r>(rel: &'r Rel, found: &mut Vec<(&'r TableDef, Vec<usize>)>) {
    if let RelOp::Scan { table, columns } = &rel.op {
        found.push((table, columns.clone()));
    }
    for input in rel.inputs() {
        scans(input, found);
    }
}

/// Lets every scan of a table read the same columns, so that one scan serves all: `columns` gives those of a table.
pub(crate) fn widen(rel: Rel, columns_of: &impl Fn(&TableDef) -> Vec<usize>) -> Rel {
    let rel = rel.map_inputs(&mut |r| widen(r, columns_of));
    let RelOp::Scan { table, columns } = rel.op else {
        return rel;
    };
    let all = columns_of(&table);
    if all == columns {
        return Rel { op: RelOp::Scan { table, columns }, schema: rel.schema };
    }
    let kept: Vec<usize> = columns.iter().map(|c| place(&all, *c)).collect();
    let row = table.row_schema();
    let full: RowSchema = all.iter().map(|c| row.columns()[*c].clone()).collect();
    select(Rel { op: RelOp::Scan { table, columns: all }, schema: full }, &kept, rel.schema)
}

/// Whether a Calc only chooses and orders columns.
pub(crate) fn is_selection(condition: &Option<Expr>, projection: &[Expr]) -> bool {
    condition.is_none() && projection.iter().all(|e| matches!(e, Expr::Column { .. }))
}

/// Every pass over the roots of one job.
pub(crate) fn optimize(roots: Vec<Rel>) -> Vec<Rel> {
    let pruned: Vec<Rel> = roots
        .into_iter()
        .map(|root| {
            let root = normalize::push_filters(merge(remove_aggregate::remove_aggregates(merge(root))));
            let all: Vec<usize> = (0..root.schema.len()).collect();
            merge(prune(root, &all))
        })
        .collect();
    let mut found = vec![];
    pruned.iter().for_each(|r| scans(r, &mut found));
    let mut read: Vec<(TableDef, Vec<usize>)> = vec![];
    for (table, columns) in found {
        let entry = match read.iter_mut().position(|(t, _)| t == table) {
            Some(i) => i,
            None => {
                read.push((table.clone(), vec![]));
                read.len() - 1
            }
        };
        let mut all = Columns(std::mem::take(&mut read[entry].1));
        columns.iter().for_each(|c| all.add(*c));
        if let Some(w) = &table.watermark {
            all.add(w.column);
            w.expr.visit_columns(&mut |c| all.add(c));
        }
        read[entry].1 = all.0;
    }
    let columns_of = |table: &TableDef| {
        read.iter().find(|(t, _)| t == table).map(|(_, c)| c.clone()).expect("every scan was collected")
    };
    pruned.into_iter().map(|r| merge(widen(r, &columns_of))).collect()
}
