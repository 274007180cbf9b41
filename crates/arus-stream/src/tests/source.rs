use std::sync::atomic::Ordering;

use arus_core::TypeKind;
use arus_core::function::AggregateFunction::Count;
use arus_core::plan::ChangelogMode;

use super::harness::*;
use super::run::*;
use crate::*;

fn budget() -> Budget {
    Budget { rows: 1_000, ns: u64::MAX }
}

fn windowed(idle_timeout_ms: i64) -> arus_core::plan::PhysicalPlan {
    let mut plan = Plan::default();
    let columns = [("k", string()), ("ts", rowtime())];
    let scan = plan.scan_of(&columns, 0, idle_timeout_ms, ChangelogMode::INSERT_ONLY);
    let window = plan.window(scan, 10, &[], &[(Count, None)]);
    plan.collect(window)
}

fn splits(splits: &[&[&str]], bounded: bool, sequential: bool) -> Lines {
    let splits = splits.iter().map(|s| s.iter().map(|l| l.to_string()).collect()).collect();
    Lines { splits, bounded, sequential }
}

#[test]
fn bad_records_and_missing_values_are_set_aside_with_their_bytes() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", TypeKind::STRING.not_null()), ("v", int())], 0);
    let test = Test::new(plan.collect(scan), vec![Lines::one(&["a 1", "what", "null 2", "b null", "x y z"])]);
    test.check(&["+I[a, 1]", "+I[b, null]"]);
    let output = test.run(8_192);
    let set_aside: Vec<_> = output
        .quarantined
        .iter()
        .map(|q| {
            let origin = q.origin.as_ref().expect("a record");
            (String::from_utf8_lossy(&q.bytes).into_owned(), q.reason.as_str(), origin.offset)
        })
        .collect();
    assert_eq!(
        set_aside,
        [
            ("what".into(), "expected 2 words", 1),
            ("x y z".into(), "expected 2 words", 4),
            ("null 2".into(), "column 'k' is NOT NULL, found NULL", 2),
        ]
    );
    let stats = test.build(8_192, None);
    assert_eq!(stats.stats().quarantined(), 0);
}

#[test]
fn metadata_columns_read_the_envelope() {
    let mut plan = Plan::default();
    let offset = TypeKind::BigInt.not_null();
    let scan = plan.scan(
        &[("k", string()), ("$offset", offset), ("$partition", int()), ("$text", string()), ("$topic", string())],
        0,
    );
    Test::new(plan.collect(scan), vec![Lines::one(&["a", "b"])]).check(&["+I[a, 0, 0, a, t]", "+I[b, 1, 0, b, t]"]);
}

#[test]
fn what_a_split_says_stands_beside_each_record() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string()), ("$file.size", bigint())], 0);
    Test::new(plan.collect(scan), vec![Lines::one(&["a", "b"])]).check(&["+I[a, 2]", "+I[b, 2]"]);
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string()), ("$weather", bigint())], 0);
    let test = Test::new(plan.collect(scan), vec![Lines::one(&["a"])]);
    let error = failure(test.build(1, None).step(budget()));
    assert_eq!(error.message(), "table t has no metadata key 'weather'");
}

#[test]
fn an_event_from_the_far_future_is_set_aside_alone() {
    let lines = ["a 101", "b 86402002", "c 102", "d 86401003", "e 4070908800000", "f 103"];
    let test = Test::new(windowed(0), vec![Lines::one(&lines)]);
    // Records are appended at 1,000 ms and on, so that d is exactly at the limit; it closes the window of f.
    test.check(&["+I[2, 100, 110, 109]", "+I[1, 86401000, 86401010, 86401009]"]);
    let output = test.run(8_192);
    assert_eq!(
        output.quarantined.iter().map(|q| q.origin.as_ref().expect("a record").offset).collect::<Vec<_>>(),
        [1, 4]
    );
    assert!(output.quarantined[0].reason.contains("more than 24 h ahead"), "{}", output.quarantined[0].reason);
    assert_eq!(output.late.len(), 1);
}

#[test]
fn partitions_hold_the_watermark_until_they_end() {
    let lines = splits(&[&["a 101", "a 125"], &["b 102", "b 103", "b 104"]], true, false);
    let test = Test::new(windowed(0), vec![lines]);
    test.check(&["+I[4, 100, 110, 109]", "+I[1, 120, 130, 129]"]);
}

#[test]
fn files_are_read_in_order_with_one_watermark() {
    let lines = splits(&[&["a 101", "a 125"], &["b 102", "b 126"]], true, true);
    let test = Test::new(windowed(0), vec![lines]);
    test.check(&["+I[1, 100, 110, 109]", "+I[2, 120, 130, 129]"]);
    assert_eq!(test.run(8_192).late.len(), 1);
}

#[test]
fn an_idle_partition_no_longer_holds_the_watermark() {
    let lines = splits(&[&["a 101", "a 125"], &["b 102"]], false, false);
    let test = Test::new(windowed(100), vec![lines]);
    let mut pipeline = test.build(8_192, None);
    pipeline.step(budget()).expect("rows");
    pipeline.step(budget()).expect("nothing");
    assert_eq!(test.take().lines, [""; 0], "partition 1 holds at 102");
    test.clock.0.fetch_add(99, Ordering::Relaxed);
    pipeline.step(budget()).expect("nothing");
    assert_eq!(test.take().lines, [""; 0], "not yet idle");
    test.clock.0.fetch_add(1, Ordering::Relaxed);
    pipeline.step(budget()).expect("nothing");
    // Both are idle now: the watermark is the highest that any had.
    assert_eq!(test.take().lines, ["+I[2, 100, 110, 109]"]);
    pipeline.finish().expect("the end");
    assert_eq!(test.take().lines, ["+I[1, 120, 130, 129]"]);
    assert!(pipeline.ended());
}

#[test]
fn a_step_keeps_its_budget_and_says_what_it_did() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string())], 0);
    let test = Test::new(plan.collect(scan), vec![Lines::one(&["a", "b", "!", "c"])]);
    let mut pipeline = test.build(8_192, None);
    let one = pipeline.step(Budget { rows: 1, ns: u64::MAX }).expect("one row");
    assert_eq!((one.rows_in, one.moved, one.ended), (1, true, false));
    let rest = pipeline.step(budget()).expect("until it waits");
    assert_eq!((rest.rows_in, rest.moved, rest.ended), (1, true, false));
    let end = pipeline.step(budget()).expect("until the end");
    assert_eq!((end.rows_in, end.moved, end.ended), (1, true, true));
    let stats = pipeline.stats();
    assert_eq!(stats.rows_read(), 3);
    assert_eq!(stats.operators()[1].figures().rows_in, 3);
    assert_eq!(stats.operators()[1].figures().watermark, WATERMARK_END);
}

#[test]
fn a_freeze_needs_a_barrier_that_nothing_followed() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string())], 0);
    let test = Test::new(plan.collect(scan), vec![Lines::one(&["a", "b"])]);
    let mut pipeline = test.build(1, None);
    pipeline.barrier(1).expect("a barrier");
    pipeline.freeze().expect("a cut");
    pipeline.step(Budget { rows: 1, ns: u64::MAX }).expect("a row");
    assert!(pipeline.freeze().is_err());
}
