use arus_core::Datum;
use arus_core::TypeKind;
use arus_core::expr::Expr;
use arus_core::plan::{ChangelogMode, ChangelogNormalize, NodeId, Op, PhysicalPlan, UpsertMaterialize};

use super::harness::*;
use super::run::*;

fn normalize(plan: &mut Plan, input: NodeId, condition: Option<Expr>) -> NodeId {
    let columns = plan.nodes[input].schema.columns().to_vec();
    let normalize = ChangelogNormalize { keys: vec![0], condition, update_before: true, state_ttl_ms: 0 };
    plan.push(Op::ChangelogNormalize(normalize), vec![input], columns, ChangelogMode::ALL)
}

fn upserts(lines: &[&str]) -> Vec<Lines> {
    vec![Lines::one(lines)]
}

const COLUMNS: [&str; 2] = ["k", "v"];

fn source(plan: &mut Plan, mode: ChangelogMode) -> NodeId {
    plan.scan_of(&[(COLUMNS[0], int()), (COLUMNS[1], string())], 0, 0, mode)
}

#[test]
fn upserts_become_a_changelog() {
    let mut plan = Plan::default();
    let scan = source(&mut plan, ChangelogMode::UPSERT);
    let normalized = normalize(&mut plan, scan, None);
    let input = upserts(&[
        "+U 1 a",
        "+I 2 b",
        "+U 1 a",
        "+U 1 c",
        "-D 3 x",
        "-D 1 c",
        "-D 1 c",
        "+I 1 d",
        "null n",
        "-D null n",
    ]);
    Test::new(plan.collect(normalized), input).check(&[
        "+I[1, a]",
        "+I[2, b]",
        "-U[1, a]",
        "+U[1, c]",
        "-D[1, c]",
        "+I[1, d]",
        "+I[null, n]",
        "-D[null, n]",
    ]);
}

#[test]
fn only_rows_that_pass_are_kept() {
    let mut plan = Plan::default();
    let scan = source(&mut plan, ChangelogMode::UPSERT);
    let b = Expr::literal(Datum::String("b".into()), TypeKind::STRING.not_null());
    let condition = Expr::call("<>", vec![plan.col(scan, 1), b], TypeKind::Boolean.nullable());
    let normalized = normalize(&mut plan, scan, Some(condition));
    let input = upserts(&["1 a", "+U 1 b", "+U 1 b", "-D 1 b", "+U 1 c", "2 b", "3 null", "+U 2 d", "+U 1 null"]);
    Test::new(plan.collect(normalized), input).check(&["+I[1, a]", "-D[1, a]", "+I[1, c]", "+I[2, d]", "-D[1, c]"]);
}

#[test]
fn update_before_is_dropped() {
    let mut plan = Plan::default();
    let scan = source(&mut plan, ChangelogMode::ALL);
    let columns = plan.nodes[scan].schema.columns().to_vec();
    let dropped = plan.push(Op::DropUpdateBefore, vec![scan], columns, ChangelogMode::UPSERT);
    let input = upserts(&["1 a", "-U 1 a", "+U 1 b", "-D 1 b"]);
    Test::new(plan.collect(dropped), input).check(&["+I[1, a]", "+U[1, b]", "-D[1, b]"]);
}

/// Rows by their first column, told apart by `upsert_key`, into a table.
fn materialized_by_key(upsert_key: Vec<usize>) -> PhysicalPlan {
    let mut plan = Plan::default();
    let scan = source(&mut plan, ChangelogMode::ALL);
    let mut plan = plan.insert(scan, &[(COLUMNS[0], int()), (COLUMNS[1], string())]);
    if let Some(Op::Sink(sink)) = plan.nodes.last_mut().map(|n| &mut n.op) {
        sink.materialize = Some(UpsertMaterialize { keys: vec![0], upsert_key, state_ttl_ms: 0 });
    }
    plan
}

#[test]
fn the_newest_row_of_a_primary_key_counts() {
    let input = || upserts(&["1 a", "1 b", "2 a", "-D 1 a", "1 c", "-U 1 c", "-D 1 b", "+U 1 d", "2 a", "-D 2 a"]);
    let expected = ["+I[1, a]", "+U[1, b]", "+I[2, a]", "+U[1, c]", "+U[1, b]", "-D[1, b]", "+I[1, d]", "+U[2, a]"];
    // Of equal rows the first goes: what is left is the newest.
    Test::new(materialized_by_key(vec![]), input()).check(&expected);
    // A key that tells all rows apart: the second row takes the place of its equal.
    let by_row =
        ["+I[1, a]", "+U[1, b]", "+I[2, a]", "+U[1, c]", "+U[1, b]", "-D[1, b]", "+I[1, d]", "+U[2, a]", "-D[2, a]"];
    Test::new(materialized_by_key(vec![0, 1]), input()).check(&by_row);
}
