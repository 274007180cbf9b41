//! State with a time to live, over restores: what nothing has touched for so long is forgotten without a word.

use std::sync::atomic::Ordering::Relaxed;

use arus_core::plan::{ChangelogMode, PhysicalPlan, Rank, RankStrategy, SemiJoin};

use super::harness::*;
use super::operators::{by, in_two_sides, keyed_values, rank};
use super::run::*;
use crate::*;

const TTL_MS: i64 = 100;
/// Between two steps.
const STEP_MS: i64 = 60;

/// What each step tells; a step is so many rows, then a checkpoint and a restore. Also how many entries stand at the end.
fn steps(plan: PhysicalPlan, lines: &[&str], rows: &[usize]) -> (Vec<Vec<String>>, usize) {
    // What is forgotten is told again, which the check of the changelog cannot know.
    let test = Test { check_changelog: false, ..Test::new(plan, vec![Lines::one(lines)]) };
    let mut stored: Option<Stored> = None;
    let mut told = vec![];
    for (epoch, rows) in (1..).zip(rows) {
        let mut pipeline = test.build(8_192, stored.as_ref());
        let mut left = *rows;
        while left > 0 {
            left -= pipeline.step(Budget { rows: left, ns: u64::MAX }).expect("rows").rows_in;
        }
        told.push(test.take().lines);
        pipeline.barrier(epoch).expect("a barrier");
        stored.get_or_insert_with(Stored::default).apply(pipeline.freeze().expect("a cut"));
        test.clock.0.fetch_add(STEP_MS, Relaxed);
    }
    (told, stored.map_or(0, |stored| stored.len()))
}

fn smallest(mode: ChangelogMode, strategy: RankStrategy, end: u64) -> PhysicalPlan {
    let mut plan = Plan::default();
    let scan = keyed_values(&mut plan, mode);
    let order = vec![by(1, false)];
    let of = Rank {
        partition: vec![0],
        order,
        offset: 0,
        end: Some(end),
        strategy,
        update_before: true,
        state_ttl_ms: TTL_MS,
    };
    let ranked = rank(&mut plan, scan, of);
    plan.collect(ranked)
}

#[test]
fn a_rank_of_appended_rows_forgets_partitions() {
    let plan = smallest(ChangelogMode::INSERT_ONLY, RankStrategy::AppendFast, 1);
    // Every row of the partition touches it, also one that has no place.
    let (told, entries) = steps(plan, &["x 5", "y 7", "x 9", "y 8", "x 8"], &[2, 1, 1, 1]);
    assert_eq!(told, [vec!["+I[x, 5]", "+I[y, 7]"], vec![], vec!["+I[y, 8]"], vec!["+I[x, 8]"]]);
    assert_eq!(entries, 4, "a row and a time for each partition");
}

#[test]
fn a_rank_of_updates_forgets_partitions() {
    let plan = smallest(ChangelogMode::ALL, RankStrategy::Retract, 2);
    let lines = ["x 5", "x 3", "z 1", "-D x 3", "z 0", "x 6"];
    let (told, entries) = steps(plan, &lines, &[2, 1, 1, 1, 1]);
    let expected: [&[&str]; 5] = [&["+I[x, 5]", "+I[x, 3]"], &["+I[z, 1]"], &[], &["+I[z, 0]"], &["+I[x, 6]"]];
    assert_eq!(told, expected);
    assert_eq!(entries, 4);
}

#[test]
fn equal_rows_of_two_sides_are_forgotten() {
    let plan = |anti| in_two_sides(SemiJoin { anti, state_ttl_ms: TTL_MS });
    let (told, _) = steps(plan(false), &["r a", "l a", "l b", "r b", "l a"], &[1, 1, 1, 1, 1]);
    let expected: [&[&str]; 5] = [&[], &["+I[a]"], &[], &["+I[b]"], &[]];
    assert_eq!(told, expected);
}
