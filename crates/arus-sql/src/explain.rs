//! EXPLAIN in Flink's form: the bound query, then the plan with changelog modes, then what Arus knows of its state.

mod details;
mod expr;
mod fingerprint;
mod state;

use arus_core::catalog::TableDef;
use arus_core::expr::Expr;
use arus_core::plan::{
    AggregateCall, Node, NodeId, Op, PhysicalPlan, RankStrategy, Scan, SinkTarget, SortKey, TableFunction, Window,
    WindowKind, WindowProperty,
};
use arus_core::schema::RowSchema;

pub(crate) use expr::{Notation, expr_text};
pub use fingerprint::fingerprint;
pub(crate) use state::state_notes;

use crate::rel::{Rel, RelOp};

/// What EXPLAIN is asked for besides the trees.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    pub(crate) changelog: bool,
    pub(crate) cost: bool,
    pub(crate) advice: bool,
    pub(crate) execution_plan: bool,
}

/// The whole answer of EXPLAIN.
pub(crate) fn explain(roots: &[Rel], plan: &PhysicalPlan, asked: Asked) -> String {
    let mut text = String::from("== Abstract Syntax Tree ==\n");
    for root in roots {
        logical(root, "", "", &mut text);
        text.push('\n');
    }
    let ends: Vec<NodeId> = plan
        .sinks()
        .map(|(id, sink)| match sink.target {
            // As in Flink a bare SELECT has no sink of its own.
            SinkTarget::Collect => plan.nodes[id].inputs[0],
            SinkTarget::Table(_) => id,
        })
        .collect();
    let advice = asked.advice.then(|| details::Advice::of(plan));
    let physical_style =
        Style { changelog: asked.changelog, cost: asked.cost, advice: advice.as_ref(), notation: Notation::Prefix };
    let execution_style = Style { changelog: false, cost: false, advice: None, notation: Notation::Infix };
    let with_advice = if asked.advice { "Optimized Physical Plan With Advice" } else { "Optimized Physical Plan" };
    for (title, style) in [(with_advice, physical_style), ("Optimized Execution Plan", execution_style)] {
        text.push_str(&format!("== {title} ==\n"));
        for end in &ends {
            physical(plan, *end, style, "", "", &mut text);
            text.push('\n');
        }
        text.push_str(&style.advice.map(details::Advice::text).unwrap_or_default());
    }
    if asked.execution_plan {
        text.push_str(&details::execution_plan(plan));
    }
    text.push_str(&state::sections(plan));
    text
}

#[derive(Clone, Copy)]
struct Style<'a> {
    changelog: bool,
    cost: bool,
    advice: Option<&'a details::Advice>,
    notation: Notation,
}

fn physical(plan: &PhysicalPlan, id: NodeId, style: Style<'_>, first: &str, rest: &str, out: &mut String) {
    let node = &plan.nodes[id];
    let mut text = node_text(plan, id, style.notation);
    if style.changelog && !matches!(node.op, Op::Sink(_)) {
        text.truncate(text.len() - 1);
        let comma = if text.ends_with('(') { "" } else { ", " };
        text.push_str(&format!("{comma}changelogMode=[{}])", node.mode));
    } else if style.changelog {
        text.truncate(text.len() - 1);
        text.push_str(", changelogMode=[NONE])");
    }
    if let Some(mark) = style.advice.and_then(|advice| advice.mark(id)) {
        text = text.replacen('(', &format!("({mark}, "), 1);
    }
    if style.cost {
        text.push_str(&details::cost(plan, id));
    }
    out.push_str(&format!("{first}{text}\n"));
    for (i, input) in node.inputs.iter().enumerate() {
        let last = i + 1 == node.inputs.len();
        let (head, tail) = if last { ("+- ", "   ") } else { (":- ", ":  ") };
        physical(plan, *input, style, &format!("{rest}{head}"), &format!("{rest}{tail}"), out);
    }
}

/// One node as Flink writes it.
pub(crate) fn node_text(plan: &PhysicalPlan, id: NodeId, notation: Notation) -> String {
    let node = &plan.nodes[id];
    let empty = RowSchema::new(vec![]);
    let input = node.inputs.first().map_or(&empty, |i| &plan.nodes[*i].schema);
    let details = match &node.op {
        Op::Scan(scan) => scan_text(scan, node, notation),
        Op::Values(values) => {
            let rows: Vec<String> =
                values.rows.iter().map(|r| format!("{{ {} }}", exprs(r, input, notation))).collect();
            format!("tuples=[[{}]]", rows.join(", "))
        }
        Op::Calc(calc) => {
            let select = selected(&calc.projection, input, &node.schema, notation);
            match &calc.condition {
                Some(c) => format!("select=[{select}], where=[{}]", expr_text(c, input, notation)),
                None => format!("select=[{select}]"),
            }
        }
        Op::WindowTableFunction(window) => format!("window=[{}]", window_text(window, input)),
        Op::Exchange(e) if e.keys.is_empty() => "distribution=[single]".to_string(),
        Op::Exchange(e) => format!("distribution=[hash[{}]]", columns(&e.keys, input)),
        Op::GroupAggregate(a) => aggregate_text(&a.keys, "", &a.calls, &[], input),
        Op::WindowAggregate(a) => {
            let text = if a.legacy { legacy_window_text(&a.window, input) } else { window_text(&a.window, input) };
            aggregate_text(&a.keys, &format!("window=[{text}]"), &a.calls, &a.properties, input)
        }
        Op::Union => {
            let names: Vec<&str> = node.schema.columns().iter().map(|c| c.name.as_str()).collect();
            format!("all=[true], union=[{}]", names.join(", "))
        }
        Op::ChangelogNormalize(n) => {
            let condition = n.condition.as_ref().map(|c| format!(", condition=[{}]", expr_text(c, input, notation)));
            format!("key=[{}]{}", columns(&n.keys, input), condition.unwrap_or_default())
        }
        Op::DropUpdateBefore => String::new(),
        Op::Expand(expand) => format!("projects=[{}]", projects(&expand.projections, input, &node.schema, notation)),
        Op::Rank(rank) => {
            let strategy = match &rank.strategy {
                RankStrategy::AppendFast => "AppendFastStrategy".to_string(),
                RankStrategy::Retract => "RetractStrategy".to_string(),
                RankStrategy::UpdateFast { key } => {
                    let key: Vec<String> = key.iter().map(ToString::to_string).collect();
                    format!("UpdateFastStrategy[{}]", key.join(","))
                }
            };
            let places = places(rank.offset, rank.end);
            match rank.order.as_slice() {
                [] => places,
                order => format!("orderBy=[{}], {places}, strategy=[{strategy}]", sort_text(order, input)),
            }
        }
        Op::TemporalSort(sort) => format!("orderBy=[{}]", temporal_text(sort.time, &sort.order, input)),
        Op::SemiJoin(join) => {
            let right = &plan.nodes[node.inputs[1]].schema;
            let pairs: Vec<String> = (0..input.len())
                .map(|i| format!("IS NOT DISTINCT FROM({}, {})", columns(&[i], input), columns(&[i], right)))
                .collect();
            let pairs = if let [one] = pairs.as_slice() { one.clone() } else { format!("AND({})", pairs.join(", ")) };
            let all: Vec<usize> = (0..input.len()).collect();
            let join = if join.anti { "LeftAntiJoin" } else { "LeftSemiJoin" };
            format!("joinType=[{join}], where=[{pairs}], select=[{}]", columns(&all, input))
        }
        Op::Correlate(correlate) => {
            let function = function_text(correlate.function, correlate.column, input);
            let names: Vec<&str> = node.schema.columns().iter().map(|c| c.name.as_str()).collect();
            let join = if correlate.outer { "LEFT" } else { "INNER" };
            format!("invocation=[{function}], select=[{}], joinType=[{join}]", names.join(","))
        }
        Op::Sink(sink) => match &sink.target {
            SinkTarget::Table(table) => {
                let names: Vec<&str> = input.columns().iter().map(|c| c.name.as_str()).collect();
                let materialize = if sink.materialize.is_some() { ", upsertMaterialize=[true]" } else { "" };
                let conflict = sink.conflict.map(|c| format!(", conflictStrategy=[{c}]")).unwrap_or_default();
                format!("table=[{}], fields=[{}]{materialize}{conflict}", table.path.full(), names.join(", "))
            }
            SinkTarget::Collect => "target=[collect]".to_string(),
        },
    };
    format!("{}({details})", node.op.name())
}

/// `{a, 0 AS $e}, {null AS a, 1 AS $e}`
fn projects(projections: &[Vec<Expr>], input: &RowSchema, output: &RowSchema, notation: Notation) -> String {
    let one = |p: &Vec<Expr>| {
        let values = p.iter().zip(output.columns()).map(|(e, column)| {
            let text = match e {
                Expr::Literal { value: arus_core::Datum::Null, .. } => "null".to_string(),
                Expr::Literal { value: arus_core::Datum::BigInt(v), .. } => v.to_string(),
                other => expr_text(other, input, notation),
            };
            if text == column.name { text } else { format!("{text} AS {}", column.name) }
        });
        format!("{{{}}}", values.collect::<Vec<_>>().join(", "))
    };
    projections.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn places(offset: u64, end: Option<u64>) -> String {
    match end {
        Some(end) => format!("offset=[{offset}], fetch=[{}]", end.saturating_sub(offset)),
        None => format!("offset=[{offset}]"),
    }
}

fn sort_text(order: &[SortKey], input: &RowSchema) -> String {
    let key = |k: &SortKey| {
        // NULL is the smallest value unless it is said otherwise.
        let nulls = match (k.descending, k.nulls_first) {
            (false, false) => "-nulls-last",
            (true, true) => "-nulls-first",
            _ => "",
        };
        format!("{} {}{nulls}", columns(&[k.column], input), if k.descending { "DESC" } else { "ASC" })
    };
    order.iter().map(key).collect::<Vec<_>>().join(", ")
}

fn temporal_text(time: usize, order: &[SortKey], input: &RowSchema) -> String {
    let first = SortKey { column: time, descending: false, nulls_first: true };
    sort_text(&[&[first], order].concat(), input)
}

fn function_text(function: TableFunction, column: usize, input: &RowSchema) -> String {
    let column = columns(&[column], input);
    match function {
        TableFunction::Unnest { ordinality: false } => format!("$UNNEST_ROWS$1({column})"),
        TableFunction::Unnest { ordinality: true } => format!("$UNNEST_ROWS_WITH_ORDINALITY$1({column})"),
        TableFunction::ReplicateRows => format!("$REPLICATE_ROWS$1({column})"),
    }
}

fn table_text(table: &TableDef) -> String {
    format!("{}, {}, {}", table.path.catalog, table.path.database, table.path.name)
}

fn scan_text(scan: &Scan, node: &Node, notation: Notation) -> String {
    let watermark = scan
        .watermark
        .as_ref()
        .map(|w| format!(", watermark=[{}]", expr_text(&w.expr, &node.schema, notation)))
        .unwrap_or_default();
    let names: Vec<&str> = node.schema.columns().iter().map(|c| c.name.as_str()).collect();
    format!("table=[[{}{watermark}]], fields=[{}]", table_text(&scan.table), names.join(", "))
}

fn window_text(window: &Window, input: &RowSchema) -> String {
    let mut parts = match window.attached {
        None => vec![format!("time_col=[{}]", columns(&[window.time], input))],
        Some(a) => {
            let (start, end) = (columns(&[a.start], input), columns(&[a.end], input));
            vec![format!("win_start=[{start}]"), format!("win_end=[{end}]")]
        }
    };
    let mut add = |name: &str, ms: i64| parts.push(format!("{name}=[{}]", duration(ms)));
    let offset_ms = match window.kind {
        WindowKind::Tumble { size_ms, offset_ms } => {
            add("size", size_ms);
            offset_ms
        }
        WindowKind::Hop { size_ms, slide_ms, offset_ms } => {
            add("size", size_ms);
            add("slide", slide_ms);
            offset_ms
        }
        WindowKind::Cumulate { size_ms, step_ms, offset_ms } => {
            add("max_size", size_ms);
            add("step", step_ms);
            offset_ms
        }
        WindowKind::Session { gap_ms } => {
            add("gap", gap_ms);
            0
        }
    };
    if offset_ms != 0 {
        add("offset", offset_ms);
    }
    if !window.partition.is_empty() {
        parts.push(format!("partition keys=[{}]", columns(&window.partition, input)));
    }
    format!("{}({})", window.kind.name(), parts.join(", "))
}

/// GROUP BY TUMBLE(ts, ..), as Flink names it.
fn legacy_window_text(window: &Window, input: &RowSchema) -> String {
    let time = columns(&[window.time], input);
    match window.kind {
        WindowKind::Hop { size_ms, slide_ms, .. } => format!("SlidingGroupWindow('w$, {time}, {size_ms}, {slide_ms})"),
        WindowKind::Session { gap_ms } => format!("SessionGroupWindow('w$, {time}, {gap_ms})"),
        kind => format!("TumblingGroupWindow('w$, {time}, {})", kind.size_ms()),
    }
}

fn aggregate_text(
    keys: &[usize],
    window: &str,
    calls: &[AggregateCall],
    properties: &[WindowProperty],
    input: &RowSchema,
) -> String {
    let mut parts: Vec<String> = vec![];
    if !keys.is_empty() {
        parts.push(format!("groupBy=[{}]", columns(keys, input)));
    }
    if !window.is_empty() {
        parts.push(window.to_string());
    }
    let mut select: Vec<String> = keys.iter().map(|k| columns(&[*k], input)).collect();
    select.extend(calls.iter().map(|c| format!("{} AS {}", call_text(c, input), c.name)));
    select.extend(properties.iter().map(|p| match p {
        WindowProperty::Start => "start('w$) AS window_start".to_string(),
        WindowProperty::End => "end('w$) AS window_end".to_string(),
        WindowProperty::Time => "rowtime('w$) AS window_time".to_string(),
    }));
    parts.push(format!("select=[{}]", select.join(", ")));
    parts.join(", ")
}

fn call_text(call: &AggregateCall, input: &RowSchema) -> String {
    let args = if call.args.is_empty() { "*".to_string() } else { columns(&call.args, input) };
    let distinct = if call.distinct { "DISTINCT " } else { "" };
    let filter = call.filter.map_or_else(String::new, |f| format!(" FILTER {}", columns(&[f], input)));
    format!("{}({distinct}{args}){filter}", call.function.name())
}

/// `a, UPPER(b) AS c`: a column under its own name stands alone.
fn selected(projection: &[Expr], input: &RowSchema, output: &RowSchema, notation: Notation) -> String {
    let values = projection.iter().zip(output.columns()).map(|(e, column)| {
        let text = expr_text(e, input, notation);
        if text == column.name { text } else { format!("{text} AS {}", column.name) }
    });
    values.collect::<Vec<_>>().join(", ")
}

fn exprs(exprs: &[Expr], input: &RowSchema, notation: Notation) -> String {
    exprs.iter().map(|e| expr_text(e, input, notation)).collect::<Vec<_>>().join(", ")
}

pub(crate) fn columns(columns: &[usize], schema: &RowSchema) -> String {
    columns
        .iter()
        .map(|c| schema.columns().get(*c).map_or_else(|| format!("${c}"), |c| c.name.clone()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Flink's shortest form: `10 s`, `15 min`, `1 h`.
fn duration(ms: i64) -> String {
    for (unit, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")] {
        if ms != 0 && ms % unit == 0 {
            return format!("{} {name}", ms / unit);
        }
    }
    format!("{ms} ms")
}

// ---- the bound query

fn logical(rel: &Rel, first: &str, rest: &str, out: &mut String) {
    let empty = RowSchema::new(vec![]);
    let inputs = rel.inputs();
    let input = inputs.first().map_or(&empty, |r| &r.schema);
    if let RelOp::Calc { input: below, condition: Some(condition), projection } = &rel.op {
        let text = format!("LogicalFilter(condition=[{}])", expr_text(condition, input, Notation::Prefix));
        if crate::rel::is_identity(projection, below.schema.len()) {
            out.push_str(&format!("{first}{text}\n"));
            logical(below, &format!("{rest}+- "), &format!("{rest}   "), out);
        } else {
            out.push_str(&format!(
                "{first}LogicalProject({})\n{rest}+- {text}\n",
                assigned(projection, input, &rel.schema)
            ));
            logical(below, &format!("{rest}   +- "), &format!("{rest}      "), out);
        }
        return;
    }
    let text = match &rel.op {
        RelOp::Scan { table, .. } => format!("LogicalTableScan(table=[[{}]])", table_text(table)),
        RelOp::Values { rows } => {
            let rows: Vec<String> =
                rows.iter().map(|r| format!("{{ {} }}", exprs(r, &empty, Notation::Prefix))).collect();
            format!("LogicalValues(tuples=[[{}]])", rows.join(", "))
        }
        RelOp::Calc { projection, .. } => format!("LogicalProject({})", assigned(projection, input, &rel.schema)),
        RelOp::Window { window, .. } => {
            format!("LogicalTableFunctionScan(invocation=[{}])", window_text(window, input))
        }
        RelOp::Aggregate { keys, calls, .. } => {
            format!("LogicalAggregate({})", aggregate_text(keys, "", calls, &[], input))
        }
        RelOp::WindowAggregate { window, keys, calls, properties, .. } => {
            let window = format!("window=[{}]", window_text(window, input));
            format!("LogicalWindowAggregate({})", aggregate_text(keys, &window, calls, properties, input))
        }
        RelOp::Union { .. } => "LogicalUnion(all=[true])".to_string(),
        RelOp::ChangelogNormalize { .. } => return logical(inputs[0], first, rest, out),
        RelOp::Expand { projections, .. } => {
            format!("LogicalExpand(projects=[{}])", projects(projections, input, &rel.schema, Notation::Prefix))
        }
        RelOp::Rank { order, offset, end, .. } => match order.as_slice() {
            [] => format!("LogicalSort({})", places(*offset, *end)),
            order => format!("LogicalSort(orderBy=[{}], {})", sort_text(order, input), places(*offset, *end)),
        },
        RelOp::TemporalSort { time, order, .. } => {
            format!("LogicalSort(orderBy=[{}])", temporal_text(*time, order, input))
        }
        RelOp::SemiJoin { anti: true, .. } => "LogicalMinus(all=[false])".to_string(),
        RelOp::SemiJoin { .. } => "LogicalIntersect(all=[false])".to_string(),
        RelOp::Correlate { function, column, outer, .. } => {
            let join = if *outer { "left" } else { "inner" };
            format!("LogicalCorrelate(joinType=[{join}], function=[{}])", function_text(*function, *column, input))
        }
        RelOp::Sink { target: SinkTarget::Table(table), .. } => {
            let names: Vec<&str> = rel.schema.columns().iter().map(|c| c.name.as_str()).collect();
            format!("LogicalSink(table=[{}], fields=[{}])", table.path.full(), names.join(", "))
        }
        RelOp::Sink { input, .. } => return logical(input, first, rest, out),
    };
    out.push_str(&format!("{first}{text}\n"));
    for (i, below) in inputs.iter().enumerate() {
        let (head, tail) = if i + 1 == inputs.len() { ("+- ", "   ") } else { (":- ", ":  ") };
        logical(below, &format!("{rest}{head}"), &format!("{rest}{tail}"), out);
    }
}

fn assigned(projection: &[Expr], input: &RowSchema, output: &RowSchema) -> String {
    let values = projection
        .iter()
        .zip(output.columns())
        .map(|(e, c)| format!("{}=[{}]", c.name, expr_text(e, input, Notation::Prefix)));
    values.collect::<Vec<_>>().join(", ")
}
