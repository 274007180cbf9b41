//! What EXPLAIN says besides the trees, where it is asked for: ESTIMATED_COST, PLAN_ADVICE, JSON_EXECUTION_PLAN.

use std::collections::BTreeMap;

use arus_core::expr::Expr;
use arus_core::plan::{NodeId, Op, PhysicalPlan, SinkTarget};

use super::{Notation, node_text, state};

/// Flink's, of a table without statistics.
const ROWS_OF_A_TABLE: f64 = 1e8;

/// `: rowcount = 5.0E7, cumulative cost = {3.5E8 rows}`: so many rows leave, and so many have moved so far.
pub(super) fn cost(plan: &PhysicalPlan, id: NodeId) -> String {
    let rows = rows(plan, id);
    format!(": rowcount = {}, cumulative cost = {{{} rows}}", number(rows), number(moved(plan, id)))
}

fn moved(plan: &PhysicalPlan, id: NodeId) -> f64 {
    rows(plan, id) + plan.nodes[id].inputs.iter().map(|i| moved(plan, *i)).sum::<f64>()
}

/// Rows that leave a node, by the shares that Flink assumes where it knows nothing.
fn rows(plan: &PhysicalPlan, id: NodeId) -> f64 {
    let node = &plan.nodes[id];
    let below: f64 = node.inputs.iter().map(|i| rows(plan, *i)).sum();
    match &node.op {
        Op::Scan(_) => ROWS_OF_A_TABLE,
        Op::Values(values) => values.rows.len() as f64,
        Op::Calc(calc) => below * calc.condition.as_ref().map_or(1.0, share),
        Op::Expand(expand) => below * expand.projections.len() as f64,
        Op::Rank(rank) => rank.end.map_or(below, |end| below.min(end.saturating_sub(rank.offset) as f64)),
        Op::SemiJoin(_) => rows(plan, node.inputs[0]) / 2.0,
        _ => below,
    }
}

/// The share of rows that pass.
fn share(condition: &Expr) -> f64 {
    match condition {
        Expr::And(parts) => parts.iter().map(share).product(),
        Expr::Or(parts) => 1.0 - parts.iter().map(|p| 1.0 - share(p)).product::<f64>(),
        Expr::Call { function, .. } => match function.as_str() {
            "=" => 0.15,
            "<" | ">" | "<=" | ">=" => 0.5,
            "IS NOT NULL" => 0.9,
            _ => 0.25,
        },
        _ => 0.25,
    }
}

/// As Java writes it: `5.0E7`.
fn number(value: f64) -> String {
    let mut text = String::new();
    arus_core::text::write_double(&mut text, value);
    text
}

/// The advice on each node: its number in the plan, and what it says.
pub(super) struct Advice(BTreeMap<NodeId, String>);

impl Advice {
    pub(super) fn of(plan: &PhysicalPlan) -> Self {
        let on_state = (0..plan.nodes.len()).filter_map(|id| Some((id, state::unbounded(plan, id)?)));
        Advice(on_state.collect())
    }

    /// `advice=[1]`
    pub(super) fn mark(&self, id: NodeId) -> Option<String> {
        let number = self.0.keys().position(|other| *other == id)? + 1;
        Some(format!("advice=[{number}]"))
    }

    pub(super) fn text(&self) -> String {
        if self.0.is_empty() {
            return "No available advice...\n\n".into();
        }
        let line = |(i, text): (usize, &String)| format!("advice[{}]: [WARNING] {text}\n", i + 1);
        self.0.values().enumerate().map(line).collect::<String>() + "\n"
    }
}

/// The graph of operators in Flink's form of JSON. An exchange is how rows are shipped, not an operator.
pub(super) fn execution_plan(plan: &PhysicalPlan) -> String {
    let mut text = String::from("== Physical Execution Plan ==\n{\n  \"nodes\" : [ ");
    let mut first = true;
    for (id, node) in plan.nodes.iter().enumerate() {
        let collects = matches!(&node.op, Op::Sink(sink) if sink.target == SinkTarget::Collect);
        if collects || matches!(node.op, Op::Exchange(_)) {
            continue;
        }
        if !std::mem::take(&mut first) {
            text.push_str(", ");
        }
        text.push_str(&operator(plan, id));
    }
    text.push_str(" ]\n}\n\n");
    text
}

fn operator(plan: &PhysicalPlan, id: NodeId) -> String {
    let node = &plan.nodes[id];
    let (name, pact) = match &node.op {
        Op::Scan(scan) => (format!("Source: {}[{id}]", scan.table.path.name), "Data Source"),
        Op::Values(_) => (format!("Source: Values[{id}]"), "Data Source"),
        Op::Sink(sink) => match &sink.target {
            SinkTarget::Table(table) => (format!("Sink: {}[{id}]", table.path.name), "Data Sink"),
            SinkTarget::Collect => (format!("Sink: collect[{id}]"), "Data Sink"),
        },
        op => (format!("{}[{id}]", op.name()), "Operator"),
    };
    let contents = format!("[{id}]:{}", node_text(plan, id, Notation::Infix));
    let mut text = format!(
        "{{\n    \"id\" : {id},\n    \"type\" : {},\n    \"pact\" : \"{pact}\",\n    \"contents\" : {},\n    \"parallelism\" : 1",
        quoted(&name),
        quoted(&contents)
    );
    let inputs: Vec<String> = node.inputs.iter().map(|input| predecessor(plan, *input)).collect();
    if !inputs.is_empty() {
        text.push_str(&format!(",\n    \"predecessors\" : [ {} ]", inputs.join(", ")));
    }
    text.push_str("\n  }");
    text
}

fn predecessor(plan: &PhysicalPlan, input: NodeId) -> String {
    let (from, ship) = match &plan.nodes[input].op {
        Op::Exchange(exchange) => {
            let below = plan.nodes[input].inputs.first().copied().unwrap_or(input);
            (below, if exchange.keys.is_empty() { "GLOBAL" } else { "HASH" })
        }
        _ => (input, "FORWARD"),
    };
    format!("{{\n      \"id\" : {from},\n      \"ship_strategy\" : \"{ship}\",\n      \"side\" : \"second\"\n    }}")
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
