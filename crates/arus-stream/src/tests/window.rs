use arus_core::TypeKind;
use arus_core::expr::Expr;
use arus_core::function::AggregateFunction::{Count, Max, Sum};
use arus_core::types::TimeAttribute;

use super::harness::*;
use super::run::*;
use crate::*;

/// k, v, ts with a delay; TUMBLE 10 ms by k.
fn counted(delay_ms: i64) -> arus_core::plan::PhysicalPlan {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string()), ("v", int()), ("ts", rowtime())], delay_ms);
    let window = plan.window(scan, 10, &[0], &[(Count, None), (Sum, Some(1))]);
    plan.collect(window)
}

#[test]
fn a_window_fires_when_the_watermark_passes_it() {
    let test =
        Test::new(counted(0), vec![Lines::one(&["a 1 101", "b 2 102", "null 5 103", "a 3 109", "a 4 110", "b 7 131"])]);
    test.check_windows(&[
        "+I[a, 2, 4, 100, 110, 109]",
        "+I[b, 1, 2, 100, 110, 109]",
        "+I[null, 1, 5, 100, 110, 109]",
        "+I[a, 1, 4, 110, 120, 119]",
        "+I[b, 1, 7, 130, 140, 139]",
    ]);
}

#[test]
fn a_row_is_late_once_its_window_has_fired() {
    // 109 is the last millisecond of the first window, so 103 after it is late; 115 is not, though it is behind 118.
    let lines = ["a 1 101", "a 1 109", "a 1 103", "a 1 118", "a 1 115", "a 1 109", "a 1 119", "a 1 111"];
    let test = Test::new(counted(0), vec![Lines::one(&lines)]);
    test.check(&["+I[a, 2, 2, 100, 110, 109]", "+I[a, 3, 3, 110, 120, 119]"]);
    for batch_rows in [1, 8_192] {
        let output = test.run(batch_rows);
        let late: Vec<_> = output.late.iter().map(|l| (l.time_ms, l.watermark_ms, l.operator)).collect();
        assert_eq!(late, [(103, 109, "WindowAggregate"), (109, 118, "WindowAggregate"), (111, 119, "WindowAggregate")]);
        assert!(output.late[0].row.contains(r#""k":"a""#), "{}", output.late[0].row);
        assert_eq!(output.late[0].table.name, "t");
    }
    let mut pipeline = test.build(8_192, None);
    run_to_end(&mut pipeline);
    assert_eq!(pipeline.stats().late(), 3);
}

#[test]
fn the_delay_of_the_watermark_waits_for_rows_out_of_order() {
    let lines = ["a 1 108", "a 1 114", "a 1 103", "a 1 115", "a 1 101", "a 1 130"];
    // The watermark is 5 behind: 114 leaves it at 109, which fires the first window, so 103 is late.
    Test::new(counted(5), vec![Lines::one(&lines)]).check(&[
        "+I[a, 1, 1, 100, 110, 109]",
        "+I[a, 2, 2, 110, 120, 119]",
        "+I[a, 1, 1, 130, 140, 139]",
    ]);
    Test::new(counted(15), vec![Lines::one(&lines)]).check(&[
        "+I[a, 3, 3, 100, 110, 109]",
        "+I[a, 2, 2, 110, 120, 119]",
        "+I[a, 1, 1, 130, 140, 139]",
    ]);
}

#[test]
fn empty_input_gives_nothing_and_times_before_1970_are_in_order() {
    Test::new(counted(0), vec![Lines::one(&[])]).check(&[]);
    Test::new(counted(0), vec![Lines::one(&["a 1 -11", "a 1 -1", "a 1 0"])]).check(&[
        "+I[a, 1, 1, -20, -10, -11]",
        "+I[a, 1, 1, -10, 0, -1]",
        "+I[a, 1, 1, 0, 10, 9]",
    ]);
}

#[test]
fn a_row_without_a_time_is_set_aside() {
    let test = Test::new(counted(0), vec![Lines::one(&["a 1 101", "a 9 null", "a 2 102"])]);
    test.check(&["+I[a, 2, 3, 100, 110, 109]"]);
    let output = test.run(8_192);
    assert_eq!(output.quarantined.len(), 1);
    assert_eq!(output.quarantined[0].reason, "the rowtime is NULL");
}

#[test]
fn a_group_below_a_window_sees_windows_in_order() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string()), ("v", int()), ("ts", rowtime())], 0);
    let window = plan.window(scan, 10, &[], &[(Count, None)]);
    let most = plan.group(window, &[], &[(Max, Some(0))], false);
    let lines = ["a 1 101", "a 1 102", "b 1 111", "b 1 121", "b 1 122", "c 1 123", "c 1 105"];
    Test::new(plan.collect(most), vec![Lines::one(&lines)]).check(&["+I[2]", "-U[2]", "+U[3]"]);
}

#[test]
fn windows_of_windows() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string()), ("v", int()), ("ts", rowtime())], 0);
    let inner = plan.window(scan, 10, &[0], &[(Sum, Some(1))]);
    let outer = plan.window(inner, 20, &[], &[(Sum, Some(1))]);
    let lines = ["a 1 101", "b 2 108", "a 3 112", "a 4 119", "b 5 121", "a 6 139", "a 7 140"];
    Test::new(plan.collect(outer), vec![Lines::one(&lines)]).check(&[
        "+I[10, 100, 120, 119]",
        "+I[11, 120, 140, 139]",
        "+I[7, 140, 160, 159]",
    ]);
}

#[test]
fn the_table_function_appends_the_window() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("v", int()), ("ts", rowtime())], 0);
    let window = plan.tumble(scan, 10);
    let windowed = plan.window_table_function(scan, window);
    let test = Test::new(plan.collect(windowed), vec![Lines::one(&["1 105", "2 null", "3 99", "4 110"])]);
    test.check(&["+I[1, 105, 100, 110, 109]", "+I[3, 99, 90, 100, 99]", "+I[4, 110, 110, 120, 119]"]);
    assert_eq!(test.run(8_192).quarantined.len(), 1);
}

#[test]
fn fired_windows_leave_the_state() {
    let test = Test::new(counted(0), vec![Lines::one(&["a 1 101", "b 1 102", "a 1 111", "a 1 121"])]);
    let mut stored = Stored::default();
    let mut sizes = vec![];
    let mut pipeline = test.build(1, None);
    for epoch in 1..=4 {
        pipeline.step(Budget { rows: 1, ns: u64::MAX }).expect("a row");
        pipeline.barrier(epoch).expect("a barrier");
        stored.apply(pipeline.freeze().expect("a cut"));
        sizes.push(stored.len());
    }
    assert_eq!(sizes, [1, 2, 1, 1]);
}

#[test]
fn a_union_waits_for_its_slower_input() {
    let mut plan = Plan::default();
    let columns = [("k", string()), ("v", int()), ("ts", rowtime())];
    let left = plan.scan(&columns, 0);
    let right = plan.scan(&columns, 0);
    let both = plan.union(vec![left, right]);
    let window = plan.window(both, 10, &[], &[(Count, None)]);
    let test = Test::new(
        plan.collect(window),
        vec![Lines::one(&["l 1 101", "l 1 125", "l 1 126"]), Lines::one(&["r 1 102", "r 1 103", "r 1 104"])],
    );
    // The right input stays in the first window, so nothing is late and nothing fires before it has ended.
    test.check(&["+I[4, 100, 110, 109]", "+I[2, 120, 130, 129]"]);
    assert!(test.run(8_192).late.is_empty());
}

#[test]
fn current_watermark_is_that_of_the_row() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("v", int()), ("ts", rowtime())], 0);
    let ty = TypeKind::Timestamp { precision: 3, attribute: TimeAttribute::None }.nullable();
    let current = Expr::call("CURRENT_WATERMARK", vec![plan.col(scan, 1)], ty);
    let calc = plan.calc(scan, None, vec![plan.col(scan, 0), current]);
    Test::new(plan.collect(calc), vec![Lines::one(&["1 10", "2 30", "3 20", "4 30", "5 40"])]).check(&[
        "+I[1, null]",
        "+I[2, 10]",
        "+I[3, 30]",
        "+I[4, 30]",
        "+I[5, 30]",
    ]);
}
