//! Random SQL through planner and pipeline against the reference interpreter.
//!
//! `ARUS_CASES` and `ARUS_SEED` choose how many cases run and where they start.

mod arrays;
mod compare;
mod functions;
mod run;

use std::collections::BTreeMap;

use compare::{Outcome, check};

/// Cases of the ordinary run.
const CASES: u64 = 1_000;

/// Differences that are looked for before the run stops.
const REPORTS: usize = 4;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn random_sql_equals_the_reference() {
    let (first, cases) = (number("ARUS_SEED", 0), number("ARUS_CASES", CASES));
    let mut skipped: BTreeMap<String, u64> = BTreeMap::new();
    let mut nodes: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut different = vec![];
    let mut rows = 0;
    let mut checked = 0;
    for seed in first.. {
        if checked == cases {
            break;
        }
        match check(seed) {
            Outcome::Same { operators, rows: found } => {
                checked += 1;
                rows += u64::from(found > 0);
                for name in operators {
                    *nodes.entry(name).or_default() += 1;
                }
            }
            Outcome::Skipped(why) => *skipped.entry(why).or_default() += 1,
            Outcome::Different(text) => {
                different.push(text);
                assert!(different.len() < REPORTS, "{}", different.join("\n\n"));
            }
        }
        let without: u64 = skipped.values().sum();
        assert!(without <= cases / 4 + 20, "too many seeds give no case: {skipped:#?}");
    }
    assert!(different.is_empty(), "{}", different.join("\n\n"));
    println!("{checked} cases, {rows} with rows, skipped {skipped:#?}, operators {nodes:#?}");
    if cases < CASES {
        return;
    }
    assert!(rows * 10 > checked * 6, "{rows} of {checked} cases have a result");
    let operators = [
        "Calc",
        "GroupAggregate",
        "WindowAggregate",
        "WindowTableFunction",
        "Union",
        "Values",
        "ChangelogNormalize",
        "Expand",
        "Join",
        "Correlate",
        "SortLimit",
        "TemporalSort",
    ];
    for name in operators {
        let count = nodes.get(name).copied().unwrap_or(0);
        assert!(count * 100 >= checked, "{name} stands in {count} of {checked} plans");
    }
}
