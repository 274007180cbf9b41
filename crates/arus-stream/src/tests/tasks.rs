//! Pipelines spread over several tasks, which take turns at random: the same result as one task gives, also when a run
//! goes on with another number of them. Queues stay within their limit, and barriers pass full ones.

use std::sync::Arc;

use arus_core::Result;
use arus_core::function::AggregateFunction::{Count, Max, Sum};
use arus_core::limits::EXCHANGE_BYTES;
use arus_core::plan::PhysicalPlan;
use arus_core::rng::Rng;

use super::harness::*;
use super::run::*;
use crate::*;

struct Nobody;

impl Waker for Nobody {
    fn wake(&self) {}
}

fn spread(test: &Test, count: usize, home: usize, batch_rows: usize, stored: Option<&Stored>) -> Vec<Pipeline> {
    let columns = test.plan.scans().map(|(id, _)| (id, test.plan.nodes[id].schema.clone())).collect();
    let io = TestIo { lines: test.lines.clone(), output: test.output.clone(), columns, sink: None };
    let settings =
        PipelineSettings { batch_rows, check_changelog: true, ..PipelineSettings::new(test.clock.clone(), "UTC") };
    let tasks = Tasks { wakers: (0..count).map(|_| Arc::new(Nobody) as Arc<dyn Waker>).collect(), home };
    let ios: Vec<&dyn PipelineIo> = (0..count).map(|_| &io as &dyn PipelineIo).collect();
    let restore = stored.map(|s| PipelineRestore { checkpoint: &s.checkpoint, state: s });
    Pipeline::build_tasks(&test.plan, &ios, &settings, tasks, restore).unwrap_or_else(|e| panic!("build: {e}"))
}

impl StateRead for Stored {
    fn visit(&self, visit: &mut VisitState<'_>) -> Result<()> {
        self.all().try_for_each(|((uid, key_group, key), value)| visit(*uid, *key_group, key, value))
    }
}

fn rows(budget: usize) -> Budget {
    Budget { rows: budget, ns: u64::MAX }
}

fn step(task: &mut Pipeline, budget: usize) -> StepReport {
    task.step(rows(budget)).unwrap_or_else(|e| panic!("step: {e}"))
}

/// The cut of all, which take the barrier at different times; those that stand are not called.
fn cut(tasks: &mut [Pipeline], home: usize, epoch: u64, rng: &mut Rng) -> FrozenPipeline {
    let mut asked = vec![false; tasks.len()];
    let mut frozen: Vec<Option<FrozenTask>> = tasks.iter().map(|_| None).collect();
    while frozen.iter().any(Option::is_none) {
        let at = rng.below(tasks.len() as u64) as usize;
        if frozen[at].is_some() {
            continue;
        }
        if !asked[at] && rng.below(3) == 0 {
            asked[at] = true;
            tasks[at].barrier(epoch).unwrap_or_else(|e| panic!("barrier: {e}"));
        } else {
            step(&mut tasks[at], 1 + rng.below(5) as usize);
        }
        if tasks[at].at_barrier() == Some(epoch) {
            frozen[at] = Some(tasks[at].freeze_task().unwrap_or_else(|e| panic!("freeze: {e}")));
        }
    }
    FrozenPipeline::merged(frozen.into_iter().flatten().collect(), home)
}

/// A whole run with restarts; each start has another number of tasks.
fn run_spread(test: &Test, seed: u64) -> Output {
    let mut rng = Rng::seeded(seed);
    let mut stored: Option<Stored> = None;
    for epoch in 1..1_000 {
        let count = 1 + rng.below(4) as usize;
        let home = rng.below(count as u64) as usize;
        let mut tasks = spread(test, count, home, 1 + rng.below(12) as usize, stored.as_ref());
        for _ in 0..5 + rng.below(120) {
            let at = rng.below(count as u64) as usize;
            step(&mut tasks[at], 1 + rng.below(9) as usize);
            if tasks.iter().all(Pipeline::ended) {
                return test.take();
            }
        }
        stored.get_or_insert_with(Stored::default).apply(cut(&mut tasks, home, epoch, &mut rng));
    }
    panic!("the run does not end")
}

/// Splits whose rows rise in time, of keys that all splits have.
fn splits(count: u64, per_split: u64) -> Lines {
    let line = |split: u64, row: u64| format!("k{} {} {}", (row * 7 + split) % 11, row % 5, row * 10 + split);
    let splits = (0..count).map(|split| (0..per_split).map(|row| line(split, row)).collect()).collect();
    Lines { splits, bounded: true, sequential: false }
}

fn scanned() -> (Plan, usize) {
    let mut plan = Plan::default();
    // The splits are read one ahead of another by all their time: nothing is late.
    let scan = plan.scan(&[("k", string()), ("v", int()), ("ts", rowtime())], 100_000);
    (plan, scan)
}

fn group_by_key() -> PhysicalPlan {
    let (mut plan, scan) = scanned();
    let group = plan.group(scan, &[0], &[(Count, None), (Sum, Some(1)), (Max, Some(1))], false);
    plan.collect(group)
}

/// Two exchanges: groups of groups, and all of them together at the end.
fn groups_of_groups() -> PhysicalPlan {
    let (mut plan, scan) = scanned();
    let inner = plan.group(scan, &[0], &[(Count, None), (Sum, Some(1))], true);
    let outer = plan.group(inner, &[1], &[(Count, None), (Sum, Some(2))], true);
    let all = plan.group(outer, &[], &[(Count, None), (Sum, Some(1))], true);
    plan.collect(all)
}

fn windows() -> PhysicalPlan {
    let (mut plan, scan) = scanned();
    let window = plan.window(scan, 100, &[0], &[(Count, None), (Sum, Some(1))]);
    plan.collect(window)
}

#[test]
fn any_number_of_tasks_gives_the_result_of_one() {
    for (name, plan) in
        [("groups", group_by_key as fn() -> PhysicalPlan), ("groups of groups", groups_of_groups), ("windows", windows)]
    {
        for count in [1, 2, 5] {
            let test = Test::new(plan(), vec![splits(count, 60)]);
            let expected = materialized(&test.run(8_192).lines);
            assert!(!expected.is_empty(), "{name}");
            for seed in 0..25 {
                let found = run_spread(&test, seed);
                assert_eq!(materialized(&found.lines), expected, "{name} over {count} splits, seed {seed}");
                assert!(found.late.is_empty(), "{name} over {count} splits, seed {seed}");
            }
        }
    }
}

/// Tasks that read nothing hold no watermark from the beginning, after a restore neither.
#[test]
fn which_rows_of_one_split_are_late_does_not_depend_on_turns() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string()), ("v", int()), ("ts", rowtime())], 20);
    let window = plan.window(scan, 50, &[0], &[(Count, None), (Sum, Some(1))]);
    let plan = plan.collect(window);
    // Times go up in tens and often back by up to 150 ms.
    let mut rng = Rng::seeded(7);
    let mut line = |row: u64| {
        let back = if rng.below(4) == 0 { rng.below(150) } else { 0 };
        format!("k{} {} {}", rng.below(9), row % 5, 1_000 + row * 10 - back)
    };
    let split: Vec<String> = (0..120).map(&mut line).collect();
    let test = Test::new(plan, vec![Lines { splits: vec![split], bounded: true, sequential: false }]);
    let sorted = |late: Vec<LateRow>| {
        let mut rows: Vec<String> = late.into_iter().map(|late| late.row).collect();
        rows.sort();
        rows
    };
    let expected = test.run(8_192);
    let (windows, late) = (materialized(&expected.lines), sorted(expected.late));
    assert!(late.len() > 5, "{late:?}");
    for seed in 0..100 {
        let found = run_spread(&test, seed);
        assert_eq!(materialized(&found.lines), windows, "seed {seed}");
        assert_eq!(sorted(found.late), late, "seed {seed}");
    }
}

#[test]
fn a_file_is_read_by_one_task_in_order() {
    let mut lines = splits(6, 20);
    lines.sequential = true;
    let test = Test::new(group_by_key(), vec![lines]);
    let expected = materialized(&test.run(8_192).lines);
    for seed in 0..25 {
        assert_eq!(materialized(&run_spread(&test, seed).lines), expected, "seed {seed}");
    }
}

#[test]
fn a_full_queue_stops_the_sources_and_lets_barriers_pass() {
    // Each row is about a KiB.
    let fat = "x".repeat(1_000);
    let lines = |split: u64| (0..20_000).map(|row| format!("{fat}{} 1 {row}", (row * 2 + split) % 64)).collect();
    let input = Lines { splits: (0..2).map(lines).collect(), bounded: true, sequential: false };
    let test = Test { check_changelog: false, ..Test::new(group_by_key(), vec![input]) };
    let mut tasks = spread(&test, 2, 0, 512, None);
    let (mut read, mut steps) = (0, 0);
    loop {
        let report = step(&mut tasks[1], 512);
        read += report.rows_in;
        steps += 1;
        assert!(steps < 1_000, "nothing stops the source");
        if !report.moved {
            break;
        }
    }
    let bytes = read * 1_000 / 2;
    // Buffers that are not full count whole.
    assert!((EXCHANGE_BYTES / 16..=2 * EXCHANGE_BYTES).contains(&bytes), "{read} rows wait");
    assert_eq!(step(&mut tasks[1], 512).rows_in, 0);
    // The task that nobody called takes its part and the barrier behind it.
    tasks.iter_mut().for_each(|task| task.barrier(1).expect("a barrier"));
    assert_eq!(tasks[0].at_barrier(), None);
    for _ in 0..1_000 {
        tasks.iter_mut().filter(|task| task.at_barrier().is_none()).for_each(|task| {
            assert_eq!(step(task, 512).rows_in, 0, "no source is read before the barrier is through");
        });
    }
    assert!(tasks.iter().all(|task| task.at_barrier() == Some(1)));
    for _ in 0..100_000 {
        for task in &mut tasks {
            step(task, 4_096);
        }
        if tasks.iter().all(Pipeline::ended) {
            break;
        }
    }
    let counts: usize = materialized(&test.take().lines)
        .iter()
        .map(|line| line.split(", ").nth(1).and_then(|n| n.parse::<usize>().ok()).expect("a count"))
        .sum();
    assert_eq!(counts, 40_000);
}
