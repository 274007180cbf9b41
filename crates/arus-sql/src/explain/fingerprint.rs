//! The shape of a plan: operators, functions, types and modes, without names and literals. Tests count distinct ones.

use arus_core::expr::Expr;
use arus_core::plan::{NodeId, Op, PhysicalPlan, SinkTarget, WindowKind};
use xxhash_rust::xxh3::xxh3_64;

/// The same for two plans that differ in names and constants alone.
pub fn fingerprint(plan: &PhysicalPlan) -> u64 {
    let shapes: Vec<String> = plan.sinks().map(|(id, _)| shape(plan, id)).collect();
    xxh3_64(shapes.join(";").as_bytes())
}

fn shape(plan: &PhysicalPlan, id: NodeId) -> String {
    let node = &plan.nodes[id];
    let own = match &node.op {
        Op::Scan(scan) => {
            let option = |name| scan.table.option(name).unwrap_or_default();
            let watermark = scan.watermark.as_ref().map(|w| expr(&w.expr)).unwrap_or_default();
            format!("{} {} {} {watermark}", option("connector"), option("format"), exprs(&scan.output))
        }
        Op::Values(values) => values.rows.iter().map(|r| exprs(r)).collect::<Vec<_>>().join(";"),
        Op::Calc(calc) => {
            let condition = calc.condition.as_ref().map(expr).unwrap_or_default();
            format!("{condition} => {}", exprs(&calc.projection))
        }
        Op::WindowTableFunction(window) => format!("{} {}", kind(&window.kind), window.time),
        Op::Exchange(exchange) => format!("{:?}", exchange.keys),
        Op::GroupAggregate(a) => {
            format!("{:?} {} ttl {}", a.keys, calls(&a.calls), a.state_ttl_ms > 0)
        }
        Op::WindowAggregate(a) => {
            format!("{} {:?} {} {:?}", kind(&a.window.kind), a.keys, calls(&a.calls), a.properties)
        }
        Op::Union | Op::DropUpdateBefore => String::new(),
        Op::Expand(expand) => expand.projections.iter().map(|p| exprs(p)).collect::<Vec<_>>().join(";"),
        Op::Rank(rank) => {
            let bounds = format!("{} {}", rank.offset > 0, rank.end.is_some());
            format!("{:?} {:?} {bounds} {:?}", rank.partition, rank.order, rank.strategy)
        }
        Op::TemporalSort(sort) => format!("{} {:?}", sort.time, sort.order),
        Op::SemiJoin(join) => format!("anti {}", join.anti),
        Op::Correlate(correlate) => format!("{:?} {} {}", correlate.function, correlate.column, correlate.outer),
        Op::ChangelogNormalize(n) => {
            let condition = n.condition.as_ref().map(expr).unwrap_or_default();
            format!("{:?} {condition}", n.keys)
        }
        Op::Sink(sink) => {
            let target = match &sink.target {
                SinkTarget::Table(t) => {
                    let option = |name| t.option(name).unwrap_or_default();
                    format!("{} {} {:?} {:?}", option("connector"), option("format"), t.kind, t.primary_key)
                }
                SinkTarget::Collect => "collect".to_string(),
            };
            format!("{target} {:?} {:?} {:?}", sink.materialize.is_some(), sink.conflict, sink.length)
        }
    };
    let inputs: Vec<String> = node.inputs.iter().map(|i| shape(plan, *i)).collect();
    format!("{}[{own}|{}|{}]({})", node.op.name(), node.mode, types(plan, id), inputs.join(","))
}

fn types(plan: &PhysicalPlan, id: NodeId) -> String {
    plan.nodes[id].schema.types().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn calls(calls: &[arus_core::plan::AggregateCall]) -> String {
    calls.iter().map(|c| format!("{c:?}").replace(&format!("{:?}", c.name), "")).collect::<Vec<_>>().join(",")
}

/// Of a window its kind, not its size; but whether it has an offset.
fn kind(window: &WindowKind) -> String {
    let text = format!("{window:?}");
    let offset = if text.contains("offset_ms: 0") { "" } else { " offset" };
    format!("{}{offset}", text.split([' ', '{', '(']).next().unwrap_or_default())
}

fn exprs(all: &[Expr]) -> String {
    all.iter().map(expr).collect::<Vec<_>>().join(",")
}

fn expr(e: &Expr) -> String {
    let children: Vec<String> = e.children().into_iter().map(expr).collect();
    let own = match e {
        Expr::Column { index, .. } => format!("${index}"),
        Expr::Literal { ty, .. } => format!("_{ty}"),
        Expr::Call { function, .. } => function.clone(),
        Expr::Cast { ty, safe, .. } => format!("cast {safe} {ty}"),
        Expr::And(_) => "and".to_string(),
        Expr::Or(_) => "or".to_string(),
        Expr::Case { .. } => "case".to_string(),
        Expr::Field { index, .. } => format!("field {index}"),
    };
    format!("{own}({})", children.join(","))
}
