//! Random input against small models that go row by row.

use std::collections::BTreeMap;

use arus_core::function::AggregateFunction::{Avg, Count, Max, Min, Sum};
use arus_core::rng::Rng;

use super::harness::*;
use super::run::*;

const ROWS: usize = 300;

struct Row {
    key: Option<u64>,
    value: Option<i64>,
    time: i64,
}

fn rows(seed: u64) -> Vec<Row> {
    let mut rng = Rng::seeded(seed);
    let mut now = 1_000;
    (0..ROWS)
        .map(|_| {
            now += rng.below(4) as i64;
            Row {
                key: (rng.below(8) > 0).then(|| rng.below(5)),
                value: (rng.below(6) > 0).then(|| rng.below(19) as i64 - 9),
                time: now - if rng.below(3) == 0 { rng.below(25) as i64 } else { 0 },
            }
        })
        .collect()
}

fn text<T: ToString>(value: Option<T>) -> String {
    value.map_or("null".into(), |v| v.to_string())
}

fn lines(rows: &[Row]) -> Lines {
    let lines: Vec<String> = rows.iter().map(|r| format!("{} {} {}", text(r.key), text(r.value), r.time)).collect();
    Lines { splits: vec![lines], bounded: true, sequential: false }
}

/// Count, sum and maximum by key.
type Groups = BTreeMap<Option<u64>, (i64, Option<i64>, Option<i64>)>;

/// Flink's rules for one row after the other: late rows, then the windows that the row's watermark closes.
fn windows(rows: &[Row], delay: i64, size: i64) -> (Vec<Vec<String>>, usize) {
    let mut open: BTreeMap<i64, Groups> = BTreeMap::new();
    let mut watermark = i64::MIN;
    let (mut fired, mut late) = (vec![], 0);
    let close = |end: i64, groups: Groups| {
        let mut lines: Vec<String> = groups
            .into_iter()
            .map(|(key, (count, sum, max))| {
                let (key, sum, max) = (text(key), text(sum), text(max));
                format!("+I[{key}, {count}, {sum}, {max}, {}, {end}, {}]", end - size, end - 1)
            })
            .collect();
        lines.sort();
        lines
    };
    for row in rows {
        let end = row.time - row.time.rem_euclid(size) + size;
        if end - 1 <= watermark {
            late += 1;
        } else {
            let group = open.entry(end).or_default().entry(row.key).or_default();
            group.0 += 1;
            if let Some(value) = row.value {
                group.1 = Some(group.1.unwrap_or(0) + value);
                group.2 = Some(group.2.map_or(value, |max| max.max(value)));
            }
        }
        watermark = watermark.max(row.time - delay);
        while let Some((&end, _)) = open.first_key_value()
            && end - 1 <= watermark
        {
            fired.push(close(end, open.remove(&end).expect("it is there")));
        }
    }
    fired.extend(open.into_iter().map(|(end, groups)| close(end, groups)));
    (fired, late)
}

#[test]
fn windows_equal_a_model_that_goes_row_by_row() {
    for seed in 0..6 {
        let (delay, size) = ([0, 5, 12][seed as usize % 3], [7, 20][seed as usize % 2]);
        let rows = rows(seed);
        let (expected, late) = windows(&rows, delay, size);
        assert!(late > 0 || delay > 5, "seed {seed} makes late rows");
        let mut plan = Plan::default();
        let scan = plan.scan(&[("k", string()), ("v", int()), ("ts", rowtime())], delay);
        let window = plan.window(scan, size, &[0], &[(Count, None), (Sum, Some(1)), (Max, Some(1))]);
        let test = Test::new(plan.collect(window), vec![lines(&rows)]);
        let same = |output: Output, how: &str| {
            let mut at = output.lines.into_iter();
            for window in &expected {
                let mut found: Vec<String> = at.by_ref().take(window.len()).collect();
                found.sort();
                assert_eq!(&found, window, "seed {seed}, {how}");
            }
            assert_eq!(at.next(), None, "seed {seed}, {how}");
            assert_eq!(output.late.len(), late, "seed {seed}, {how}");
        };
        for batch_rows in [1, 3, 64, 8_192] {
            same(test.run(batch_rows), &format!("batches of {batch_rows}"));
        }
        for every in [1, 17, 90] {
            same(test.run_with_restarts(every, every), &format!("restarts after {every} rows"));
        }
    }
}

/// Groups of groups: by the sum of each key, how many keys there are and their least and greatest count.
fn groups_of_groups(rows: &[Row]) -> Vec<String> {
    let mut groups: BTreeMap<Option<u64>, (i64, Option<i64>)> = BTreeMap::new();
    for row in rows {
        let group = groups.entry(row.key).or_default();
        group.0 += 1;
        if let Some(value) = row.value {
            group.1 = Some(group.1.unwrap_or(0) + value);
        }
    }
    let mut outer: BTreeMap<Option<i64>, Vec<i64>> = BTreeMap::new();
    for (count, sum) in groups.into_values() {
        outer.entry(sum.map(|s| s.rem_euclid(3))).or_default().push(count);
    }
    let mut lines: Vec<String> = outer
        .into_iter()
        .map(|(key, counts)| {
            let (min, max) = (counts.iter().min().expect("one"), counts.iter().max().expect("one"));
            let average = counts.iter().sum::<i64>() / counts.len() as i64;
            format!("[{}, {}, {min}, {max}, {average}]", text(key), counts.len())
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn retractions_equal_a_model_of_the_end() {
    use arus_core::Datum;
    use arus_core::expr::Expr;
    use arus_core::types::TypeKind;
    for seed in 10..16 {
        let rows = rows(seed);
        for compact in [false, true] {
            let mut plan = Plan::default();
            let scan = plan.scan(&[("k", string()), ("v", int()), ("ts", rowtime())], 0);
            let inner = plan.group(scan, &[0], &[(Count, None), (Sum, Some(1))], compact);
            // ((sum % 3) + 3) % 3, so that groups come and go.
            let three = || Expr::literal(Datum::Int(3), TypeKind::Int.not_null());
            let call = |f: &str, a: Expr| Expr::call(f, vec![a, three()], int());
            let rest = call("%", call("+", call("%", plan.col(inner, 2))));
            let calc = plan.calc(inner, None, vec![rest, plan.col(inner, 1)]);
            let calls = [(Count, None), (Min, Some(1)), (Max, Some(1)), (Avg, Some(1))];
            let outer = plan.group(calc, &[0], &calls, compact);
            let test = Test::new(plan.collect(outer), vec![lines(&rows)]);
            let expected = groups_of_groups(&rows);
            let mut whole = None;
            for batch_rows in [1, 5, 8_192] {
                let output = test.run(batch_rows).lines;
                assert_eq!(materialized(&output), expected, "seed {seed}, batches of {batch_rows}");
                if !compact {
                    assert_eq!(*whole.get_or_insert_with(|| output.clone()), output, "seed {seed}, the same steps");
                }
            }
            for every in [1, 23] {
                let output = test.run_with_restarts(every, every).lines;
                assert_eq!(materialized(&output), expected, "seed {seed}, restarts after {every} rows");
            }
        }
    }
}
