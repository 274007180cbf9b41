use arus_core::Datum;
use arus_core::expr::Expr;
use arus_core::function::AggregateFunction::{Avg, Count, Max, Min, Sum};
use arus_core::plan::{ChangelogMode, Op};
use arus_core::{LogicalType, TypeKind};

use super::harness::*;
use super::run::*;
use crate::*;

fn number(value: i32) -> Expr {
    Expr::literal(Datum::Int(value), TypeKind::Int.not_null())
}

fn boolean() -> LogicalType {
    TypeKind::Boolean.nullable()
}

#[test]
fn calc_filters_then_projects_and_sets_failures_aside() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string()), ("v", int())], 0);
    let divided = Expr::call("/", vec![number(12), plan.col(scan, 1)], int());
    let nonnegative = Expr::call(">", vec![plan.col(scan, 1), number(-1)], boolean());
    let kept = plan.calc(scan, Some(nonnegative), vec![divided, plan.col(scan, 0)]);
    let test = Test::new(plan.collect(kept), vec![Lines::one(&["a 4", "b -1", "c 0", "d null", "null 3"])]);
    test.check(&["+I[3, a]", "+I[4, null]"]);
    let output = test.run(8_192);
    assert_eq!(output.quarantined.len(), 1);
    assert_eq!(output.quarantined[0].reason, "/ by zero");
    assert_eq!(String::from_utf8_lossy(&output.quarantined[0].bytes), r#"{"k":"c","v":0}"#);

    let failing = Test { policy: ErrorPolicy::Fail, ..test };
    let error = failure(failing.build(8_192, None).step(Budget { rows: 100, ns: u64::MAX }));
    assert_eq!(error.message(), "Calc: / by zero");
}

#[test]
fn every_step_of_a_group_is_told() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string()), ("v", int())], 0);
    let group = plan.group(scan, &[0], &[(Count, None), (Sum, Some(1)), (Max, Some(1))], false);
    let input = Lines::one(&["a 1", "b 5", "a 2", "null 7", "a null", "null 1"]);
    Test::new(plan.collect(group), vec![input]).check(&[
        "+I[a, 1, 1, 1]",
        "+I[b, 1, 5, 5]",
        "-U[a, 1, 1, 1]",
        "+U[a, 2, 3, 2]",
        "+I[null, 1, 7, 7]",
        "-U[a, 2, 3, 2]",
        "+U[a, 3, 3, 2]",
        "-U[null, 1, 7, 7]",
        "+U[null, 2, 8, 7]",
    ]);
}

#[test]
fn an_unchanged_value_is_not_told_again() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", int()), ("v", int())], 0);
    let group = plan.group(scan, &[0], &[(Max, Some(1)), (Min, Some(1)), (Avg, Some(1))], false);
    let input = Lines::one(&["1 4", "1 4", "1 null", "2 null", "2 -3", "1 7"]);
    Test::new(plan.collect(group), vec![input]).check(&[
        "+I[1, 4, 4, 4]",
        "+I[2, null, null, null]",
        "-U[2, null, null, null]",
        "+U[2, -3, -3, -3]",
        "-U[1, 4, 4, 4]",
        "+U[1, 7, 4, 5]",
    ]);
}

#[test]
fn a_group_without_records_is_deleted_and_starts_anew() {
    let mut plan = Plan::default();
    let scan = plan.scan_of(&[("k", string()), ("v", int())], 0, 0, ChangelogMode::ALL);
    let calls = [(Sum, Some(1)), (Min, Some(1)), (Max, Some(1)), (Count, Some(1)), (Avg, Some(1))];
    let group = plan.group(scan, &[0], &calls, false);
    let input = Lines::one(&[
        "+I a 1", "+I a 9", "-U a 9", "+U a 5", "-D a 1", "-D a 5", "-D a 5", "+I a 7", "-D b 1", "+I b 2", "-D b 2",
    ]);
    // The input retracts rows that never were, so its own changelog is not checked.
    let test = Test { check_changelog: false, ..Test::new(plan.collect(group), vec![input]) };
    let expected = [
        "+I[a, 1, 1, 1, 1, 1]",
        "-U[a, 1, 1, 1, 1, 1]",
        "+U[a, 10, 1, 9, 2, 5]",
        "-U[a, 10, 1, 9, 2, 5]",
        "+U[a, 1, 1, 1, 1, 1]",
        "-U[a, 1, 1, 1, 1, 1]",
        "+U[a, 6, 1, 5, 2, 3]",
        "-U[a, 6, 1, 5, 2, 3]",
        "+U[a, 5, 5, 5, 1, 5]",
        "-D[a, 5, 5, 5, 1, 5]",
        "+I[a, 7, 7, 7, 1, 7]",
        "+I[b, 2, 2, 2, 1, 2]",
        "-D[b, 2, 2, 2, 1, 2]",
    ];
    test.check(&expected);
}

#[test]
fn grouped_twice() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string())], 0);
    let counts = plan.group(scan, &[0], &[(Count, None)], false);
    let histogram = plan.group(counts, &[1], &[(Count, None)], false);
    Test::new(plan.collect(histogram), vec![Lines::one(&["a", "b", "a", "c", "b"])]).check(&[
        "+I[1, 1]", "-U[1, 1]", "+U[1, 2]", "-U[1, 2]", "+U[1, 1]", "+I[2, 1]", "-U[1, 1]", "+U[1, 2]", "-U[1, 2]",
        "+U[1, 1]", "-U[2, 1]", "+U[2, 2]",
    ]);
}

#[test]
fn without_keys_there_is_one_group_and_nothing_before_its_first_row() {
    let build = || {
        let mut plan = Plan::default();
        let scan = plan.scan(&[("v", bigint())], 0);
        let total = plan.group(scan, &[], &[(Count, None), (Sum, Some(0))], false);
        plan.collect(total)
    };
    Test::new(build(), vec![Lines::one(&[])]).check(&[]);
    let wrapping = ["9223372036854775807", "1"];
    Test::new(build(), vec![Lines::one(&wrapping)]).check(&[
        "+I[1, 9223372036854775807]",
        "-U[1, 9223372036854775807]",
        "+U[2, -9223372036854775808]",
    ]);
}

#[test]
fn compact_tells_one_change_a_group_and_batch() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string()), ("v", int())], 0);
    let sums = plan.group(scan, &[0], &[(Sum, Some(1))], true);
    let counts = plan.group(sums, &[1], &[(Count, None), (Max, Some(0))], true);
    let test = Test::new(plan.collect(counts), vec![Lines::one(&["a 1", "b 1", "a 2", "c 3", "b 2", "d 3"])]);
    assert_eq!(test.run(8_192).lines, ["+I[3, 4, d]"]);
    test.check_final(&["[3, 4, d]"]);
}

#[test]
fn two_columns_and_their_nulls_are_a_key() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("a", string()), ("b", int())], 0);
    let group = plan.group(scan, &[1, 0], &[(Count, None)], false);
    Test::new(plan.collect(group), vec![Lines::one(&["x 1", "x null", "null 1", "null null", "x 1", "null null"])])
        .check(&[
            "+I[1, x, 1]",
            "+I[null, x, 1]",
            "+I[1, null, 1]",
            "+I[null, null, 1]",
            "-U[1, x, 1]",
            "+U[1, x, 2]",
            "-U[null, null, 1]",
            "+U[null, null, 2]",
        ]);
}

#[test]
fn update_before_is_left_out_where_nobody_needs_it() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string())], 0);
    let group = plan.group(scan, &[0], &[(Count, None)], false);
    if let Op::GroupAggregate(aggregate) = &mut plan.nodes[group].op {
        aggregate.update_before = false;
    }
    plan.nodes[group].mode = ChangelogMode::UPSERT;
    Test::new(plan.collect(group), vec![Lines::one(&["a", "a", "b"])]).check(&["+I[a, 1]", "+U[a, 2]", "+I[b, 1]"]);
}

#[test]
fn values_end_by_themselves() {
    let mut plan = Plan::default();
    let text = |t: &str| Expr::literal(Datum::String(t.into()), string());
    let values = plan.values(vec![vec![text("a"), number(1)], vec![text("b"), number(2)], vec![text("a"), number(3)]]);
    let group = plan.group(values, &[0], &[(Sum, Some(1))], false);
    Test::new(plan.collect(group), vec![]).check(&["+I[a, 1]", "+I[b, 2]", "-U[a, 1]", "+U[a, 4]"]);
}

#[test]
fn an_untouched_group_is_forgotten_after_the_state_ttl() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string())], 0);
    let group = plan.group(scan, &[0], &[(Count, None)], false);
    if let Op::GroupAggregate(aggregate) = &mut plan.nodes[group].op {
        aggregate.state_ttl_ms = 100;
    }
    let lines = Lines::one(&["a", "b", "a", "a", "b", "b"]);
    // What is forgotten is told again, which the check of the changelog cannot know.
    let test = Test { check_changelog: false, ..Test::new(plan.collect(group), vec![lines]) };
    let mut stored: Option<Stored> = None;
    let mut told = vec![];
    for (epoch, rows) in [(1, 2), (2, 1), (3, 2), (4, 1)] {
        let mut pipeline = test.build(8_192, stored.as_ref());
        pipeline.step(Budget { rows, ns: u64::MAX }).expect("rows");
        told.push(test.take().lines);
        pipeline.barrier(epoch).expect("a barrier");
        stored.get_or_insert_with(Stored::default).apply(pipeline.freeze().expect("a cut"));
        test.clock.0.fetch_add(60, std::sync::atomic::Ordering::Relaxed);
    }
    assert_eq!(
        told,
        [
            vec!["+I[a, 1]", "+I[b, 1]"],
            vec!["-U[a, 1]", "+U[a, 2]"],
            vec!["-U[a, 2]", "+U[a, 3]", "+I[b, 1]"],
            vec!["-U[b, 1]", "+U[b, 2]"]
        ]
    );
}

/// In tests a set is large from 4 values on.
#[test]
fn of_a_large_distinct_set_what_changes_is_stored() {
    let lines = [
        "a 1", "a 2", "a 3", "a 4", "a 5", "b 1", "a 5", "-D a 2", "a 6", "-D a 5", "a 2", "-D a 2", "b 2", "b 3",
        "b 4", "-D b 1", "-D b 2", "-D b 3", "-D b 4", "b 9", "c 1", "c 2", "c 3", "c 4", "c null", "a 7",
    ];
    let plan = || {
        let mut plan = Plan::default();
        let scan = plan.scan_of(&[("k", string()), ("v", int())], 0, 0, ChangelogMode::ALL);
        let group = plan.group(scan, &[0], &[(Count, Some(1)), (Sum, Some(1)), (Count, None)], false);
        let Op::GroupAggregate(aggregate) = &mut plan.nodes[group].op else { panic!("a group aggregate") };
        aggregate.calls[..2].iter_mut().for_each(|call| call.distinct = true);
        plan.collect(group)
    };
    let expected = ["[a, 6, 26, 6]", "[b, 1, 9, 1]", "[c, 4, 10, 5]"];
    Test::new(plan(), vec![Lines::one(&lines)]).check_final(&expected);

    let many: Vec<String> = (0..2_000).map(|v| format!("a {v}")).chain(["b 1".into(), "a 5000".into()]).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let test = Test::new(plan(), vec![Lines::one(&many)]);
    let mut pipeline = test.build(8_192, None);
    let mut step = |rows: usize, epoch: u64| {
        let mut left = rows;
        while left > 0 {
            left -= pipeline.step(Budget { rows: left, ns: u64::MAX }).expect("a step").rows_in;
        }
        pipeline.barrier(epoch).expect("a barrier");
        pipeline.freeze().expect("a cut").state.len()
    };
    assert_eq!(step(2_000, 1), 2_001);
    assert_eq!(step(1, 2), 1, "a small set is stored with its group");
    assert_eq!(step(1, 3), 2, "a value and its group");
}
