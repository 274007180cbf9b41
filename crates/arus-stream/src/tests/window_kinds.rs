//! HOP, CUMULATE and SESSION against models that go row by row, restored at cuts and by another split of the key groups.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use arrow::array::{ArrayRef, StringViewArray};
use arus_core::function::AggregateFunction::{self, Count, Max, Sum};
use arus_core::key_group::key_group;
use arus_core::plan::{AttachedWindow, ChangelogMode, PhysicalPlan, Window, WindowKind};
use arus_core::rng::Rng;
use arus_core::types::{TimeAttribute, TypeKind};
use arus_storage::codec::KeyCodec;
use std::sync::Arc;

use super::harness::*;
use super::run::*;
use crate::*;

const HOP: WindowKind = WindowKind::Hop { size_ms: 20, slide_ms: 5, offset_ms: 0 };
const CUMULATE: WindowKind = WindowKind::Cumulate { size_ms: 20, step_ms: 5, offset_ms: 0 };
const SESSION: WindowKind = WindowKind::Session { gap_ms: 5 };

type Call = (AggregateFunction, Option<usize>);

/// What a sum of slices takes away again, and what it cannot.
const SUBTRACTED: &[Call] = &[(Count, None), (Sum, Some(1))];
const MERGED: &[Call] = &[(Count, None), (Sum, Some(1)), (Max, Some(1))];

/// k, v, ts; a window of `kind` by k.
fn plan_of(kind: WindowKind, delay_ms: i64, calls: &[Call], mode: ChangelogMode) -> PhysicalPlan {
    let mut plan = Plan::default();
    let scan = plan.scan_of(&[("k", string()), ("v", int()), ("ts", rowtime())], delay_ms, 0, mode);
    let window = plan.by_time(scan, kind);
    let aggregate = plan.window_of(scan, window, &[0], calls);
    plan.collect(aggregate)
}

#[derive(Clone)]
struct Row {
    adds: bool,
    key: Option<u64>,
    value: i64,
    time: i64,
}

impl Row {
    fn line(&self) -> String {
        let (kind, key) = (if self.adds { "+I" } else { "-D" }, self.key.map_or("null".into(), |k| k.to_string()));
        format!("{kind} {key} {} {}", self.value, self.time)
    }
}

/// Rows of which some come late; with `retracts` some are taken back.
fn rows(seed: u64, count: usize, late_by: u64, retracts: bool) -> Vec<Row> {
    let mut rng = Rng::seeded(seed);
    let mut now = 1_000;
    let mut out: Vec<Row> = vec![];
    let mut alive: Vec<Row> = vec![];
    for _ in 0..count {
        now += if rng.below(20) == 0 { rng.below(60) as i64 } else { rng.below(4) as i64 };
        if retracts && rng.below(4) == 0 && !alive.is_empty() {
            let row = alive.swap_remove(rng.below(alive.len() as u64) as usize);
            out.push(Row { adds: false, ..row });
            continue;
        }
        let time = now - if rng.below(3) == 0 && late_by > 0 { rng.below(late_by) as i64 } else { 0 };
        let key = (rng.below(8) > 0).then(|| rng.below(4));
        let row = Row { adds: true, key, value: rng.below(19) as i64 - 9, time };
        alive.push(row.clone());
        out.push(row);
    }
    out
}

fn input(rows: &[Row]) -> Lines {
    Lines { splits: vec![rows.iter().map(Row::line).collect()], bounded: true, sequential: false }
}

/// The values of one group: records, and how often each value is there.
#[derive(Clone, Default)]
struct Group {
    records: i64,
    values: BTreeMap<i64, i64>,
}

impl Group {
    fn change(&mut self, row: &Row) {
        let by = if row.adds { 1 } else { -1 };
        self.records += by;
        *self.values.entry(row.value).or_default() += by;
    }

    fn join(&mut self, other: Group) {
        self.records += other.records;
        for (value, count) in other.values {
            *self.values.entry(value).or_default() += count;
        }
    }

    fn text(&self, key: Option<u64>, (start, end): (i64, i64), calls: &[Call]) -> String {
        let values: Vec<String> = calls
            .iter()
            .map(|(call, _)| match call {
                Count => self.records.to_string(),
                Sum => self.values.iter().map(|(value, count)| value * count).sum::<i64>().to_string(),
                _ => self.values.iter().rfind(|v| *v.1 > 0).map_or("null".into(), |v| v.0.to_string()),
            })
            .collect();
        let key = key.map_or("null".into(), |k| k.to_string());
        format!("+I[{key}, {}, {start}, {end}, {}]", values.join(", "), end - 1)
    }
}

/// Windows by (end, start, key), and how many rows were late.
#[derive(Default)]
struct Model {
    open: BTreeMap<(i64, i64, Option<u64>), Group>,
    fired: Vec<Vec<String>>,
    late: usize,
}

impl Model {
    fn windows(kind: WindowKind, time: i64) -> Vec<(i64, i64)> {
        match kind {
            WindowKind::Hop { size_ms, slide_ms, .. } => {
                let last = time - time.rem_euclid(slide_ms);
                (0..size_ms / slide_ms).map(|i| (last - i * slide_ms, last - i * slide_ms + size_ms)).collect()
            }
            WindowKind::Cumulate { size_ms, step_ms, .. } => {
                let start = time - time.rem_euclid(size_ms);
                (1..=size_ms / step_ms).map(|i| (start, start + i * step_ms)).filter(|w| w.1 > time).collect()
            }
            WindowKind::Tumble { .. } => panic!("tests of its own"),
            WindowKind::Session { gap_ms } => vec![(time, time + gap_ms)],
        }
    }

    fn add(&mut self, kind: WindowKind, row: &Row, watermark: i64) {
        if let WindowKind::Session { gap_ms } = kind {
            let (mut start, mut end) = (row.time, row.time + gap_ms);
            let touching: Vec<_> =
                self.open.keys().filter(|(e, s, key)| *key == row.key && *s <= end && *e >= start).copied().collect();
            if touching.is_empty() && end - 1 <= watermark {
                self.late += 1;
                return;
            }
            let mut group = Group::default();
            for (e, s, key) in touching {
                group.join(self.open.remove(&(e, s, key)).expect("it is there"));
                (start, end) = (start.min(s), end.max(e));
            }
            group.change(row);
            self.open.insert((end, start, row.key), group);
            return;
        }
        let open: Vec<_> = Self::windows(kind, row.time).into_iter().filter(|w| w.1 - 1 > watermark).collect();
        self.late += usize::from(open.is_empty());
        for (start, end) in open {
            self.open.entry((end, start, row.key)).or_default().change(row);
        }
    }

    fn fire(&mut self, watermark: i64, calls: &[Call]) {
        while let Some((&(end, ..), _)) = self.open.first_key_value().filter(|((end, ..), _)| end - 1 <= watermark) {
            let mut lines = vec![];
            while let Some(entry) = self.open.first_entry().filter(|e| e.key().0 == end) {
                let ((_, start, key), group) = entry.remove_entry();
                if group.records > 0 {
                    lines.push(group.text(key, (start, end), calls));
                }
            }
            lines.sort();
            self.fired.push(lines);
        }
    }

    fn run(kind: WindowKind, rows: &[Row], delay: i64, calls: &[Call]) -> Model {
        let mut model = Model::default();
        let mut watermark = i64::MIN;
        for row in rows {
            model.add(kind, row, watermark);
            watermark = watermark.max(row.time - delay);
            model.fire(watermark, calls);
        }
        model.fire(i64::MAX, calls);
        model
    }
}

fn same(output: Output, model: &Model, how: &str) {
    let mut at = output.lines.into_iter();
    for window in &model.fired {
        let mut found: Vec<String> = at.by_ref().take(window.len()).collect();
        found.sort();
        assert_eq!(&found, window, "{how}");
    }
    assert_eq!(at.next(), None, "{how}");
    assert_eq!(output.late.len(), model.late, "{how}");
}

#[test]
fn shared_and_merged_windows_equal_a_model_that_goes_row_by_row() {
    for seed in 0..4 {
        for (kind, calls) in
            [(HOP, SUBTRACTED), (HOP, MERGED), (CUMULATE, MERGED), (SESSION, MERGED), (SESSION, SUBTRACTED)]
        {
            for retracts in [false, true] {
                let delay = [0, 6, 15][seed as usize % 3];
                let rows = rows(seed, 250, 40, retracts);
                let model = Model::run(kind, &rows, delay, calls);
                assert!(model.late > 0, "seed {seed} makes late rows");
                let mode = if retracts { ChangelogMode::ALL } else { ChangelogMode::INSERT_ONLY };
                let test = Test::new(plan_of(kind, delay, calls, mode), vec![input(&rows)]);
                let how = |what: &str| format!("{kind:?}, {} calls, seed {seed}, {what}, {retracts}", calls.len());
                for batch_rows in [1, 7, 8_192] {
                    same(test.run(batch_rows), &model, &how(&format!("batches of {batch_rows}")));
                }
                for every in [1, 13, 90] {
                    same(test.run_with_restarts(every, every), &model, &how(&format!("restarts after {every}")));
                }
            }
        }
    }
}

/// The key group of a row of a plan that groups by k.
fn group_of(row: &Row) -> u16 {
    let key: ArrayRef = Arc::new(StringViewArray::from(vec![row.key.map(|k| k.to_string())]));
    key_group(KeyCodec::new([string()]).encode(&[key], 1).expect("a key").get(0))
}

#[test]
fn state_moves_to_tasks_with_other_key_groups() {
    // Far behind, the watermark does not tell that rows of the other task have come.
    let (rows, delay) = (rows(7, 200, 0, false), 20);
    for (kind, calls) in [(HOP, SUBTRACTED), (HOP, MERGED), (CUMULATE, MERGED), (SESSION, MERGED)] {
        let model = Model::run(kind, &rows, delay, calls);
        let plan = || plan_of(kind, delay, calls, ChangelogMode::INSERT_ONLY);
        for cut in [1, 60, 141] {
            let whole = Test::new(plan(), vec![input(&rows)]);
            let mut pipeline = whole.build(64, None);
            let mut left = cut;
            while left > 0 {
                left -= pipeline.step(Budget { rows: left, ns: u64::MAX }).expect("a step").rows_in;
            }
            pipeline.barrier(1).expect("a barrier");
            let mut stored = Stored::default();
            stored.apply(pipeline.freeze().expect("a cut"));
            let mut lines = whole.take().lines;
            let middle = 50;
            for part in [0..middle, middle..128] {
                let own: Vec<Row> = rows
                    .iter()
                    .enumerate()
                    .filter(|(i, row)| *i < cut || part.contains(&group_of(row)))
                    .map(|(_, row)| row.clone())
                    .collect();
                let mut test = Test::new(plan(), vec![input(&own)]);
                test.key_groups = part;
                run_to_end(&mut test.build(64, Some(&stored)));
                lines.extend(test.take().lines);
            }
            lines.sort();
            let mut expected: Vec<String> = model.fired.concat();
            expected.sort();
            assert_eq!(lines, expected, "{kind:?}, cut after {cut}");
        }
    }
}

#[test]
fn a_hop_row_is_late_for_each_window_on_its_own() {
    // At watermark 119 the windows up to 120 have fired: 112 counts for those that end at 125 and 130 alone.
    let kind = WindowKind::Hop { size_ms: 20, slide_ms: 5, offset_ms: 0 };
    let test = Test::new(
        plan_of(kind, 0, SUBTRACTED, ChangelogMode::INSERT_ONLY),
        vec![Lines::one(&["a 1 119", "a 2 112", "a 4 99", "a 8 100"])],
    );
    test.check(&[
        "+I[a, 1, 1, 100, 120, 119]",
        "+I[a, 2, 3, 105, 125, 124]",
        "+I[a, 2, 3, 110, 130, 129]",
        "+I[a, 1, 1, 115, 135, 134]",
    ]);
    assert_eq!(test.run(8_192).late.len(), 2);
}

#[test]
fn a_late_row_joins_two_sessions() {
    let test = Test::new(
        plan_of(SESSION, 10, MERGED, ChangelogMode::INSERT_ONLY),
        vec![Lines::one(&["a 1 100", "a 2 108", "b 7 103", "a 3 104", "a 4 118", "a 5 96", "a 6 130"])],
    );
    // 108 is the watermark when 96 comes: a session up to 101 would be over, but the one from 100 takes it in.
    test.check(&[
        "+I[b, 1, 7, 7, 103, 108, 107]",
        "+I[a, 4, 11, 5, 96, 113, 112]",
        "+I[a, 1, 4, 4, 118, 123, 122]",
        "+I[a, 1, 6, 6, 130, 135, 134]",
    ]);
}

#[test]
fn a_session_that_fired_takes_no_row_of_its_batch() {
    // With watermarks of the rows' own time the session up to 105 has fired when 105 comes.
    let test = Test::new(
        plan_of(SESSION, 0, SUBTRACTED, ChangelogMode::INSERT_ONLY),
        vec![Lines::one(&["a 1 100", "b 1 104", "a 1 105", "a 1 103", "a 1 109"])],
    );
    test.check(&["+I[a, 1, 1, 100, 105, 104]", "+I[b, 1, 1, 104, 109, 108]", "+I[a, 3, 3, 103, 114, 113]"]);
}

/// SESSION by k as a table function.
fn session_rows(delay_ms: i64, mode: ChangelogMode) -> PhysicalPlan {
    let mut plan = Plan::default();
    let scan = plan.scan_of(&[("k", string()), ("v", int()), ("ts", rowtime())], delay_ms, 0, mode);
    let window = Window { partition: vec![0], ..plan.by_time(scan, SESSION) };
    let rows = plan.window_table_function(scan, window);
    plan.collect(rows)
}

#[test]
fn rows_of_a_session_leave_when_it_is_over() {
    let lines = ["a 1 100", "b 2 101", "a 3 108", "a 4 104", "null 5 109", "-D b 2 101", "a 6 90", "a 7 140"];
    Test::new(session_rows(7, ChangelogMode::ALL), vec![Lines::one(&lines)]).check(&[
        "+I[b, 2, 101, 101, 106, 105]",
        "-D[b, 2, 101, 101, 106, 105]",
        "+I[a, 1, 100, 100, 113, 112]",
        "+I[a, 3, 108, 100, 113, 112]",
        "+I[a, 4, 104, 100, 113, 112]",
        "+I[null, 5, 109, 109, 114, 113]",
        "+I[a, 7, 140, 140, 145, 144]",
    ]);
}

#[test]
fn rows_carry_their_windows_into_an_aggregate() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string()), ("v", int()), ("ts", rowtime())], 0);
    let window = plan.by_time(scan, WindowKind::Hop { size_ms: 20, slide_ms: 10, offset_ms: 0 });
    let hopped = plan.window_table_function(scan, window.clone());
    let attached = Window { time: 4, attached: Some(AttachedWindow { start: 3, end: 4 }), ..window };
    let counted = plan.window_of(hopped, attached, &[0], &[(Count, None), (Sum, Some(1))]);
    let lines = ["a 1 101", "a 2 112", "a 4 109", "a 8 131"];
    Test::new(plan.collect(counted), vec![Lines::one(&lines)]).check(&[
        "+I[a, 1, 1, 90, 110, 109]",
        "+I[a, 3, 7, 100, 120, 119]",
        "+I[a, 1, 2, 110, 130, 129]",
        "+I[a, 1, 8, 120, 140, 139]",
        "+I[a, 1, 8, 130, 150, 149]",
    ]);
}

#[test]
fn windows_of_the_clock_fire_with_it_and_not_at_the_end() {
    let proctime = TypeKind::TimestampLtz { precision: 3, attribute: TimeAttribute::Proctime }.nullable();
    for (kind, expected) in [
        (WindowKind::Tumble { size_ms: 10, offset_ms: 0 }, vec!["+I[a, 2, 3, 5000, 5010]", "+I[a, 1, 4, 5010, 5020]"]),
        (
            WindowKind::Hop { size_ms: 20, slide_ms: 10, offset_ms: 0 },
            vec!["+I[a, 2, 3, 4990, 5010]", "+I[a, 3, 7, 5000, 5020]", "+I[a, 1, 4, 5010, 5030]"],
        ),
        (
            WindowKind::Cumulate { size_ms: 20, step_ms: 10, offset_ms: 0 },
            vec!["+I[a, 2, 3, 5000, 5010]", "+I[a, 3, 7, 5000, 5020]"],
        ),
        (WindowKind::Session { gap_ms: 9 }, vec!["+I[a, 2, 3, 5000, 5013]", "+I[a, 1, 4, 5016, 5025]"]),
    ] {
        let mut plan = Plan::default();
        let scan = plan.scan(&[("k", string()), ("v", int()), ("p", proctime.clone())], 0);
        let window = plan.by_time(scan, kind);
        let aggregate = plan.window_of(scan, window, &[0], SUBTRACTED);
        // The end of the input is held back; nothing fires by it in Flink either.
        let lines = ["a 1 0", "!", "a 2 0", "!", "a 4 0", "!", "a 8 0"];
        for restarts in [false, true] {
            let test = Test::new(Plan { nodes: plan.nodes.clone() }.collect(aggregate), vec![Lines::one(&lines)]);
            let mut stored = Stored::default();
            let mut pipeline = test.build(1, None);
            for (epoch, now) in [5_000, 5_004, 5_016, 5_050, 5_050].into_iter().enumerate() {
                test.clock.0.store(now, Ordering::Relaxed);
                for _ in 0..2 {
                    pipeline.step(Budget { rows: usize::from(now < 5_050), ns: u64::MAX }).expect("a step");
                }
                if restarts {
                    pipeline.barrier(epoch as u64 + 1).expect("a barrier");
                    stored.apply(pipeline.freeze().expect("a cut"));
                    pipeline = test.build(1, Some(&stored));
                }
            }
            pipeline.finish().expect("the end");
            let lines: Vec<String> = test
                .take()
                .lines
                .iter()
                .map(|line| format!("{}]", line.rsplit_once(", ").expect("a window_time").0))
                .collect();
            assert_eq!(lines, expected, "{kind:?}, restarts {restarts}");
        }
    }
}
