//! Every kind of operator with a checkpoint, a rebuild and a restore at every cut: what comes out, late rows included, is
//! what comes out of an undisturbed run. A kind that no case has is named.

use std::collections::BTreeSet;

use arus_core::expr::Expr;
use arus_core::function::AggregateFunction::{Count, Max, Sum};
use arus_core::plan::{
    ChangelogMode, ChangelogNormalize, ConflictStrategy, Correlate, Expand, NodeId, Op, PhysicalPlan, Rank,
    RankStrategy, SemiJoin, SortKey, TableFunction, TemporalSort, UpsertMaterialize, WindowKind,
};
use arus_core::{Column, Datum, LogicalType, TypeKind};

use super::harness::*;
use super::run::*;

/// One list for the names and for the match, which the compiler keeps whole.
macro_rules! kinds {
    ($($kind:ident),*) => {
        const KINDS: &[&str] = &[$(stringify!($kind)),*];

        fn kind(op: &Op) -> &'static str {
            match op {
                $(Op::$kind { .. } => stringify!($kind)),*
            }
        }
    };
}

kinds!(
    Scan,
    Values,
    Calc,
    WindowTableFunction,
    Exchange,
    GroupAggregate,
    WindowAggregate,
    Union,
    ChangelogNormalize,
    DropUpdateBefore,
    Expand,
    Rank,
    TemporalSort,
    SemiJoin,
    Correlate,
    Sink
);

/// What is compared with the undisturbed run.
#[derive(Clone, Copy)]
enum Compare {
    /// Each line in its place.
    Lines,
    /// Lines in any order: rows that leave together.
    Sorted,
    /// The rows that are there at the end: the order of two inputs is nobody's.
    Final,
}

struct Case {
    name: &'static str,
    test: Test,
    compare: Compare,
    expected: &'static [&'static str],
    late: usize,
}

fn case(name: &'static str, test: Test, compare: Compare, expected: &'static [&'static str]) -> Case {
    Case { name, test, compare, expected, late: 0 }
}

impl Case {
    fn check(&self) {
        let test = &self.test;
        let same = |output: Output, how: &str| {
            let mut lines = output.lines;
            match self.compare {
                Compare::Lines => {}
                Compare::Sorted => lines.sort(),
                Compare::Final => lines = materialized(&lines),
            }
            assert_eq!(lines, self.expected, "{}, {how}", self.name);
            assert_eq!(output.late.len(), self.late, "late rows of {}, {how}", self.name);
        };
        same(test.run(8_192), "whole");
        same(test.run(1), "row by row");
        let rows: usize = test.lines.iter().flat_map(|l| &l.splits).map(Vec::len).sum();
        for cut in 1..=rows {
            same(test.run_with_restarts(cut, 8_192), &format!("restarted after {cut} rows"));
            same(test.run_with_restarts(cut, 2), &format!("restarted after {cut} rows, then after every two"));
        }
        same(test.run_with_restarts(1, 1), "restarted after each row");
    }
}

#[test]
fn every_operator_goes_on_where_a_checkpoint_left_it() {
    let mut seen = BTreeSet::new();
    for case in cases() {
        case.check();
        seen.extend(case.test.plan.nodes.iter().map(|node| kind(&node.op)));
    }
    let missing: Vec<_> = KINDS.iter().filter(|kind| !seen.contains(*kind)).collect();
    assert!(missing.is_empty(), "no case restarts these operators: {missing:?}");
}

fn cases() -> Vec<Case> {
    let mut all = vec![
        values_beside_a_scan(),
        distinct_values_of_groups(),
        normalized_upserts(),
        grouping_sets(),
        smallest_two(),
        highest_counts(),
        second_of_each(),
        sorted_by_time(),
        equal_rows(false),
        equal_rows(true),
        unnested_arrays(),
        repeated_rows(),
        rows_of_sessions(),
        newest_row_of_a_key(),
        first_row_of_a_key(),
    ];
    all.extend(distinct_values_of_windows());
    all
}

fn number(value: i32) -> Expr {
    Expr::literal(Datum::Int(value), TypeKind::Int.not_null())
}

fn named(name: &str, ty: LogicalType) -> Column {
    Column { name: name.to_string(), ty }
}

pub(super) fn by(column: usize, descending: bool) -> SortKey {
    SortKey { column, descending, nulls_first: false }
}

fn test(plan: Plan, last: NodeId, lines: &[&str]) -> Test {
    Test::new(plan.collect(last), vec![Lines::one(lines)])
}

pub(super) fn keyed_values(plan: &mut Plan, mode: ChangelogMode) -> NodeId {
    plan.scan_of(&[("k", string()), ("v", int())], 0, 0, mode)
}

/// DISTINCT for every call of an aggregate.
fn make_distinct(plan: &mut Plan, aggregate: NodeId) {
    match &mut plan.nodes[aggregate].op {
        Op::GroupAggregate(group) => group.calls.iter_mut().for_each(|call| call.distinct = true),
        Op::WindowAggregate(window) => window.calls.iter_mut().for_each(|call| call.distinct = true),
        other => panic!("{} has no calls", other.name()),
    }
}

fn values_beside_a_scan() -> Case {
    let mut plan = Plan::default();
    let text = |t: &str| Expr::literal(Datum::String(t.into()), string());
    let values = plan.values(vec![vec![text("v"), number(7)], vec![text("a"), number(8)]]);
    let scan = keyed_values(&mut plan, ChangelogMode::INSERT_ONLY);
    let both = plan.union(vec![values, scan]);
    let sums = plan.group(both, &[0], &[(Count, None), (Sum, Some(1))], false);
    let test = test(plan, sums, &["a 1", "b 2", "a 3"]);
    case("VALUES and a scan", test, Compare::Final, &["[a, 3, 12]", "[b, 1, 2]", "[v, 1, 7]"])
}

fn distinct_values_of_groups() -> Case {
    let mut plan = Plan::default();
    let scan = keyed_values(&mut plan, ChangelogMode::ALL);
    let group = plan.group(scan, &[0], &[(Count, Some(1)), (Sum, Some(1))], false);
    make_distinct(&mut plan, group);
    let lines = ["a 1", "a 1", "a 2", "-D a 1", "-D a 1", "b null", "-D a 2", "-D b null", "b 4"];
    let expected = &[
        "+I[a, 1, 1]",
        "-U[a, 1, 1]",
        "+U[a, 2, 3]",
        "-U[a, 2, 3]",
        "+U[a, 1, 2]",
        "+I[b, 0, null]",
        "-D[a, 1, 2]",
        "-D[b, 0, null]",
        "+I[b, 1, 4]",
    ];
    case("distinct values of groups", test(plan, group, &lines), Compare::Lines, expected)
}

fn distinct_values_of_windows() -> Vec<Case> {
    let of = |name, kind: WindowKind, expected: &'static [&'static str]| {
        let mut plan = Plan::default();
        let scan = plan.scan(&[("k", string()), ("v", int()), ("ts", rowtime())], 0);
        let window = plan.by_time(scan, kind);
        let aggregate = plan.window_of(scan, window, &[0], &[(Count, Some(1)), (Max, Some(1))]);
        make_distinct(&mut plan, aggregate);
        let lines = ["a 1 1", "a 1 2", "b 1 3", "a 2 9", "a 5 12", "b 5 15"];
        case(name, test(plan, aggregate, &lines), Compare::Sorted, expected)
    };
    vec![
        of(
            "distinct values of TUMBLE",
            WindowKind::Tumble { size_ms: 10, offset_ms: 0 },
            &["+I[a, 1, 5, 10, 20, 19]", "+I[a, 2, 2, 0, 10, 9]", "+I[b, 1, 1, 0, 10, 9]", "+I[b, 1, 5, 10, 20, 19]"],
        ),
        of(
            "distinct values of HOP",
            WindowKind::Hop { size_ms: 20, slide_ms: 10, offset_ms: 0 },
            &[
                "+I[a, 1, 5, 10, 30, 29]",
                "+I[a, 2, 2, -10, 10, 9]",
                "+I[a, 3, 5, 0, 20, 19]",
                "+I[b, 1, 1, -10, 10, 9]",
                "+I[b, 1, 5, 10, 30, 29]",
                "+I[b, 2, 5, 0, 20, 19]",
            ],
        ),
        of(
            "distinct values of CUMULATE",
            WindowKind::Cumulate { size_ms: 20, step_ms: 10, offset_ms: 0 },
            &["+I[a, 2, 2, 0, 10, 9]", "+I[a, 3, 5, 0, 20, 19]", "+I[b, 1, 1, 0, 10, 9]", "+I[b, 2, 5, 0, 20, 19]"],
        ),
        of(
            "distinct values of SESSION",
            WindowKind::Session { gap_ms: 5 },
            &["+I[a, 1, 1, 1, 7, 6]", "+I[a, 2, 5, 9, 17, 16]", "+I[b, 1, 1, 3, 8, 7]", "+I[b, 1, 5, 15, 20, 19]"],
        ),
    ]
}

fn normalized_upserts() -> Case {
    let mut plan = Plan::default();
    let scan = keyed_values(&mut plan, ChangelogMode::UPSERT);
    let columns = plan.nodes[scan].schema.columns().to_vec();
    let normalize = ChangelogNormalize { keys: vec![0], condition: None, update_before: true, state_ttl_ms: 0 };
    let normalized = plan.push(Op::ChangelogNormalize(normalize), vec![scan], columns.clone(), ChangelogMode::ALL);
    let dropped = plan.push(Op::DropUpdateBefore, vec![normalized], columns, ChangelogMode::UPSERT);
    let lines = ["+U a 1", "+U b 2", "+U a 1", "+U a 3", "-D b 2", "-D b 2", "+U b 4", "-D a 3"];
    let expected = &["+I[a, 1]", "+I[b, 2]", "+U[a, 3]", "-D[b, 2]", "+I[b, 4]", "-D[a, 3]"];
    case("normalized upserts", test(plan, dropped, &lines), Compare::Lines, expected)
}

fn grouping_sets() -> Case {
    let mut plan = Plan::default();
    let scan = keyed_values(&mut plan, ChangelogMode::INSERT_ONLY);
    let set = |number: i64| Expr::literal(Datum::BigInt(number), TypeKind::BigInt.not_null());
    let projections = vec![
        vec![plan.col(scan, 0), plan.col(scan, 1), set(0)],
        vec![Expr::literal(Datum::Null, string()), plan.col(scan, 1), set(1)],
    ];
    let columns = vec![named("k", string()), named("v", int()), named("$e", TypeKind::BigInt.not_null())];
    let expand = plan.push(Op::Expand(Expand { projections }), vec![scan], columns, ChangelogMode::INSERT_ONLY);
    let group = plan.group(expand, &[0, 2], &[(Sum, Some(1))], false);
    let expected = &[
        "+I[a, 0, 1]",
        "+I[null, 1, 1]",
        "+I[b, 0, 2]",
        "-U[null, 1, 1]",
        "+U[null, 1, 3]",
        "-U[a, 0, 1]",
        "+U[a, 0, 4]",
        "-U[null, 1, 3]",
        "+U[null, 1, 6]",
    ];
    case("grouping sets", test(plan, group, &["a 1", "b 2", "a 3"]), Compare::Lines, expected)
}

pub(super) fn rank(plan: &mut Plan, input: NodeId, rank: Rank) -> NodeId {
    let columns = plan.nodes[input].schema.columns().to_vec();
    plan.push(Op::Rank(rank), vec![input], columns, ChangelogMode::ALL)
}

fn smallest_two() -> Case {
    let mut plan = Plan::default();
    let scan = keyed_values(&mut plan, ChangelogMode::INSERT_ONLY);
    let strategy = RankStrategy::AppendFast;
    let order = vec![by(1, false)];
    let plan_of =
        Rank { partition: vec![], order, offset: 0, end: Some(2), strategy, update_before: true, state_ttl_ms: 0 };
    let ranked = rank(&mut plan, scan, plan_of);
    let expected = &["+I[a, 5]", "+I[b, 3]", "-D[a, 5]", "+I[c, 4]", "-D[c, 4]", "+I[e, 1]", "-D[b, 3]", "+I[f, 1]"];
    let lines = ["a 5", "b 3", "c 4", "d 9", "e 1", "f 1"];
    case("a rank of appended rows", test(plan, ranked, &lines), Compare::Lines, expected)
}

fn highest_counts() -> Case {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string())], 0);
    let counts = plan.group(scan, &[0], &[(Count, None)], false);
    let strategy = RankStrategy::UpdateFast { key: vec![0] };
    let order = vec![by(1, true)];
    let plan_of =
        Rank { partition: vec![], order, offset: 0, end: Some(2), strategy, update_before: true, state_ttl_ms: 0 };
    let ranked = rank(&mut plan, counts, plan_of);
    let expected = &["+I[a, 1]", "+I[b, 1]", "-U[b, 1]", "+U[b, 2]", "-D[a, 1]", "+I[c, 2]", "-U[c, 2]", "+U[c, 3]"];
    let lines = ["a", "b", "b", "c", "c", "c", "a"];
    case("a rank of rising counts", test(plan, ranked, &lines), Compare::Lines, expected)
}

fn second_of_each() -> Case {
    let mut plan = Plan::default();
    let scan = keyed_values(&mut plan, ChangelogMode::ALL);
    let strategy = RankStrategy::Retract;
    let order = vec![by(1, false)];
    let plan_of =
        Rank { partition: vec![0], order, offset: 1, end: Some(2), strategy, update_before: true, state_ttl_ms: 0 };
    let ranked = rank(&mut plan, scan, plan_of);
    let expected = &["+I[x, 5]", "-U[x, 5]", "+U[x, 4]", "-U[x, 4]", "+U[x, 5]", "+I[y, 1]", "-D[x, 5]", "+I[x, 4]"];
    let lines = ["x 5", "x 3", "y 1", "x 4", "-D x 3", "y 0", "-U x 5", "+U x 2"];
    case("a rank of updates", test(plan, ranked, &lines), Compare::Lines, expected)
}

fn sorted_by_time() -> Case {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("v", int()), ("ts", rowtime())], 2);
    let columns = plan.nodes[scan].schema.columns().to_vec();
    let sort = TemporalSort { time: 1, time_type: rowtime(), order: vec![by(0, false)] };
    let sorted = plan.push(Op::TemporalSort(sort), vec![scan], columns, ChangelogMode::INSERT_ONLY);
    let lines = ["3 10", "1 10", "2 8", "9 14", "5 9", "4 20", "7 13"];
    let expected = &["+I[2, 8]", "+I[1, 10]", "+I[3, 10]", "+I[9, 14]", "+I[4, 20]"];
    Case { late: 2, ..case("a sort by time", test(plan, sorted, &lines), Compare::Lines, expected) }
}

/// Rows of the sides l and r.
pub(super) fn in_two_sides(join: SemiJoin) -> PhysicalPlan {
    let mut plan = Plan::default();
    let scan = plan.scan_of(&[("side", string()), ("k", string())], 0, 0, ChangelogMode::ALL);
    let mut side = |name: &str| {
        let name = Expr::literal(Datum::String(name.into()), TypeKind::STRING.not_null());
        let is_of = Expr::call("=", vec![plan.col(scan, 0), name], TypeKind::Boolean.nullable());
        let columns = vec![plan.col(scan, 1)];
        plan.calc(scan, Some(is_of), columns)
    };
    let (left, right) = (side("l"), side("r"));
    let columns = plan.nodes[left].schema.columns().to_vec();
    let joined = plan.push(Op::SemiJoin(join), vec![left, right], columns, ChangelogMode::ALL);
    plan.collect(joined)
}

/// The rows of side l that side r has, or has not.
fn equal_rows(anti: bool) -> Case {
    let plan = in_two_sides(SemiJoin { anti, state_ttl_ms: 0 });
    let lines = ["l a", "r b", "l b", "l a", "r a", "l null", "-D r b", "r null", "-D l a", "l c", "r d"];
    let (name, expected): (_, &[&str]) =
        if anti { ("EXCEPT", &["[b]", "[c]"]) } else { ("INTERSECT", &["[a]", "[null]"]) };
    case(name, Test::new(plan, vec![Lines::one(&lines)]), Compare::Final, expected)
}

fn unnested_arrays() -> Case {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string()), ("a", int()), ("b", int())], 0);
    let array = TypeKind::Array(Box::new(int())).not_null();
    let pair = Expr::call("ARRAY", vec![plan.col(scan, 1), plan.col(scan, 2)], array);
    let projection = vec![plan.col(scan, 0), pair];
    let paired = plan.calc(scan, None, projection);
    let mut columns = plan.nodes[paired].schema.columns().to_vec();
    columns.extend([named("v", int()), named("n", int())]);
    let unnest = Correlate { function: TableFunction::Unnest { ordinality: true }, column: 1, outer: false };
    let unnested = plan.push(Op::Correlate(unnest), vec![paired], columns, ChangelogMode::INSERT_ONLY);
    let group = plan.group(unnested, &[0], &[(Count, None), (Sum, Some(2)), (Max, Some(3))], false);
    let expected = &[
        "+I[x, 1, 1, 1]",
        "-U[x, 1, 1, 1]",
        "+U[x, 2, 3, 2]",
        "+I[y, 1, 3, 1]",
        "-U[y, 1, 3, 1]",
        "+U[y, 2, 3, 2]",
        "-U[x, 2, 3, 2]",
        "+U[x, 3, 7, 2]",
        "-U[x, 3, 7, 2]",
        "+U[x, 4, 12, 2]",
    ];
    case("UNNEST", test(plan, group, &["x 1 2", "y 3 null", "x 4 5"]), Compare::Lines, expected)
}

fn repeated_rows() -> Case {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string()), ("n", bigint())], 0);
    let columns = plan.nodes[scan].schema.columns().to_vec();
    let repeat = Correlate { function: TableFunction::ReplicateRows, column: 1, outer: false };
    let repeated = plan.push(Op::Correlate(repeat), vec![scan], columns, ChangelogMode::INSERT_ONLY);
    let expected = &["+I[a, 2]", "+I[a, 2]", "+I[c, 1]"];
    case("repeated rows", test(plan, repeated, &["a 2", "b 0", "c 1"]), Compare::Lines, expected)
}

fn rows_of_sessions() -> Case {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string()), ("v", int()), ("ts", rowtime())], 0);
    let mut window = plan.by_time(scan, WindowKind::Session { gap_ms: 5 });
    window.partition = vec![0];
    let sessions = plan.window_table_function(scan, window);
    let lines = ["a 1 1", "a 2 4", "b 7 3", "a 9 20", "a 8 2"];
    let expected =
        &["+I[b, 7, 3, 3, 8, 7]", "+I[a, 1, 1, 1, 9, 8]", "+I[a, 2, 4, 1, 9, 8]", "+I[a, 9, 20, 20, 25, 24]"];
    Case { late: 1, ..case("rows of sessions", test(plan, sessions, &lines), Compare::Lines, expected) }
}

/// What a watermark finds is decided at once; the row that lost does not come back.
fn first_row_of_a_key() -> Case {
    let mut plan = Plan::default();
    let columns = [("k", string()), ("v", int()), ("ts", rowtime())];
    let scan = plan.scan_of(&columns, 0, 0, ChangelogMode::ALL);
    let mut plan = plan.insert(scan, &columns);
    if let Some(Op::Sink(sink)) = plan.nodes.last_mut().map(|node| &mut node.op) {
        sink.materialize = Some(UpsertMaterialize { keys: vec![0], upsert_key: vec![1], state_ttl_ms: 0 });
        sink.conflict = Some(ConflictStrategy::Nothing);
    }
    let lines = ["a 1 10", "a 2 20", "b 7 30", "-D b 7 30", "-D a 1 10", "a 3 40", "b 8 40", "-U b 8 40", "+U b 9 40"];
    let expected = &["+I[a, 1, 10]", "+I[b, 7, 30]", "+I[b, 9, 40]", "+U[a, 3, 40]", "-D[b, 7, 30]"];
    let test = Test::new(plan, vec![Lines::one(&lines)]);
    // The keys of one watermark have no order.
    case("the first row of a key", test, Compare::Sorted, expected)
}

fn newest_row_of_a_key() -> Case {
    let mut plan = Plan::default();
    let scan = keyed_values(&mut plan, ChangelogMode::ALL);
    let mut plan = plan.insert(scan, &[("k", string()), ("v", int())]);
    if let Some(Op::Sink(sink)) = plan.nodes.last_mut().map(|node| &mut node.op) {
        sink.materialize = Some(UpsertMaterialize { keys: vec![0], upsert_key: vec![], state_ttl_ms: 0 });
    }
    let lines = ["a 1", "a 2", "b 1", "-D a 2", "a 3", "-D a 1", "-D a 3", "-D b 1", "b 5"];
    let expected = &["+I[a, 1]", "+U[a, 2]", "+I[b, 1]", "+U[a, 1]", "+U[a, 3]", "-D[a, 3]", "-D[b, 1]", "+I[b, 5]"];
    let test = Test::new(plan, vec![Lines::one(&lines)]);
    case("the newest row of a key", test, Compare::Lines, expected)
}
