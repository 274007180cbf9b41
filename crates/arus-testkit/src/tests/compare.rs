//! One case: planned, run in several ways, compared, and made smaller when it differs.

use std::fmt::Write;
use std::sync::Arc;

use arus_core::plan::{ChangelogMode, PhysicalPlan};
use arus_core::rng::Rng;
use arus_core::settings::CHANGELOG_COMPACTION;
use arus_core::{RowKind, RowSchema};
use arus_expr::{ConstantEvaluator, Functions};

use super::run::{Mode, run};
use crate::generate::{Case, case};
use crate::reference::{Change, Inputs, Stop, answer, row_text};
use crate::world::World;

pub(super) enum Outcome {
    Same {
        operators: Vec<&'static str>,
        rows: usize,
    },
    /// The seed gives no case, with the reason in general terms.
    Skipped(String),
    Different(String),
}

/// Where the result goes, and whether changes are compacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// A bare SELECT: every step.
    Collect,
    /// INSERT INTO a table: one change a key and batch.
    Compacted,
    /// INSERT INTO a table: every step.
    Steps,
}

/// What one way of running a case has to say.
struct Ways<'a> {
    seed: u64,
    case: &'a Case,
    plans: Vec<(Target, PhysicalPlan)>,
    modes: Vec<Mode>,
}

pub(super) fn check(seed: u64) -> Outcome {
    let evaluator = ConstantEvaluator::new(Arc::new(arus_core::clock::SystemClock::new()), "UTC");
    let mut world = World::new(&Functions, &evaluator);
    let case = match case(seed, &mut world) {
        Ok(case) => case,
        Err(refused) => return Outcome::Skipped(general("refused", &refused.reason)),
    };
    let rel = match world.bind(&case.sql) {
        Ok(rel) => rel,
        Err(e) => return Outcome::Skipped(general("refused", &e.to_string())),
    };
    let mut plans = vec![];
    for target in [Target::Collect, Target::Compacted, Target::Steps] {
        match plan(&mut world, &case.sql, &rel.schema, target) {
            Ok(plan) => plans.push((target, plan)),
            Err(e) => return Outcome::Skipped(general("not planned", &e.to_string())),
        }
    }
    let mut rng = Rng::seeded(seed ^ 0x5EED);
    let modes = vec![Mode::whole(), Mode::row_by_row(), Mode::random(&mut rng), Mode::random(&mut rng)];
    let ways = Ways { seed, case: &case, plans, modes };
    let expected = |inputs: &Inputs| -> Result<Vec<String>, Stop> {
        let mut rows: Vec<String> = answer(&rel, inputs)?.iter().map(|row| row_text(row)).collect();
        rows.sort();
        Ok(rows)
    };
    let inputs = case.inputs();
    let rows = match expected(&inputs) {
        Ok(rows) => rows,
        Err(Stop::Unsupported(what)) => return Outcome::Skipped(general("unknown to the reference", &what)),
        Err(Stop::Row(reason)) => return Outcome::Different(format!("seed {seed}: a failure got out: {reason}")),
    };
    if ways.difference(&inputs, &rows).is_none() {
        let operators = ways.plans[0].1.nodes.iter().map(|n| n.op.name()).collect::<std::collections::BTreeSet<_>>();
        return Outcome::Same { operators: operators.into_iter().collect(), rows: rows.len() };
    }
    let smallest = ways.shrink(inputs, |inputs| expected(inputs).ok());
    let rows = expected(&smallest).unwrap_or_default();
    Outcome::Different(ways.report(&smallest, &rows))
}

/// Reasons without names and numbers, so that they can be counted.
fn general(kind: &str, reason: &str) -> String {
    let reason: String = reason.lines().next().unwrap_or_default().chars().take(60).collect();
    format!("{kind}: {reason}")
}

fn plan(world: &mut World<'_>, sql: &str, schema: &RowSchema, target: Target) -> arus_core::Result<PhysicalPlan> {
    if target == Target::Collect {
        return world.plan(sql);
    }
    let columns: Vec<String> = schema
        .columns()
        .iter()
        .map(|c| format!("`{}` {}", c.name, c.ty.clone().without_time_attribute().kind))
        .collect();
    world.create(&format!(
        "CREATE TABLE {target:?} ({}) WITH ('connector' = 'testkit', 'format' = 'changes')",
        columns.join(", ")
    ))?;
    let compaction = if target == Target::Steps { "off" } else { "batch" };
    world.settings.set(CHANGELOG_COMPACTION, compaction);
    world.plan(&format!("INSERT INTO {target:?} {sql}"))
}

impl Ways<'_> {
    /// The first way whose result is another one, and what it gave.
    fn difference(&self, inputs: &Inputs, expected: &[String]) -> Option<String> {
        for (target, plan) in &self.plans {
            let mode_of_edge = plan.nodes[plan.sinks().next()?.0].mode;
            for mode in &self.modes {
                let way = format!("{target:?}, {mode:?}");
                let found = match run(plan, inputs, mode) {
                    Ok(changes) => match materialized(&changes, mode_of_edge) {
                        Ok(rows) if rows == expected => continue,
                        Ok(rows) => rows.join("\n  "),
                        Err(broken) => broken,
                    },
                    Err(e) => format!("error: {e}"),
                };
                return Some(format!("{way}\nfound:\n  {found}"));
            }
        }
        None
    }

    /// Leaves out rows as long as the result stays wrong.
    fn shrink(&self, inputs: Inputs, expected: impl Fn(&Inputs) -> Option<Vec<String>>) -> Inputs {
        let wrong = |inputs: &Inputs| expected(inputs).is_some_and(|rows| self.difference(inputs, &rows).is_some());
        let mut smallest = inputs;
        for chunk in [16, 4, 1, 1] {
            for name in smallest.keys().cloned().collect::<Vec<_>>() {
                let mut at = 0;
                while at < smallest[&name].len() {
                    let mut smaller = smallest.clone();
                    let rows = smaller.get_mut(&name).expect("a table");
                    rows.drain(at..rows.len().min(at + chunk));
                    if wrong(&smaller) {
                        smallest = smaller;
                    } else {
                        at += chunk;
                    }
                }
            }
        }
        smallest
    }

    fn report(&self, inputs: &Inputs, expected: &[String]) -> String {
        let mut text = format!("seed {} (ARUS_SEED={} ARUS_CASES=1)\n", self.seed, self.seed);
        for table in &self.case.tables {
            let _ = writeln!(text, "{};", table.ddl);
        }
        let _ = writeln!(text, "{};\ninput:", self.case.sql);
        for (name, changes) in inputs {
            for change in changes {
                let _ = writeln!(text, "  {name} {}", change_text(change));
            }
        }
        let _ = writeln!(text, "expected:\n  {}", expected.join("\n  "));
        let _ = write!(text, "{}", self.difference(inputs, expected).unwrap_or_default());
        text
    }
}

fn change_text(change: &Change) -> String {
    format!("{}[{}]", change.kind.short(), row_text(&change.values))
}

/// The rows that a changelog leaves, sorted; an error where it takes back what is not there, or has a kind that its edge
/// does not declare.
fn materialized(changes: &[Change], mode: ChangelogMode) -> Result<Vec<String>, String> {
    let all = || changes.iter().map(change_text).collect::<Vec<_>>().join("\n  ");
    let mut rows: Vec<String> = vec![];
    for change in changes {
        let declared = match change.kind {
            RowKind::Insert => mode.insert,
            RowKind::UpdateBefore => mode.update_before,
            RowKind::UpdateAfter => mode.update_after,
            RowKind::Delete => mode.delete,
        };
        if !declared {
            return Err(format!("{} on an edge of {mode}:\n  {}", change_text(change), all()));
        }
        let text = row_text(&change.values);
        if change.kind.adds() {
            rows.push(text);
        } else {
            match rows.iter().position(|row| *row == text) {
                Some(at) => rows.swap_remove(at),
                None => return Err(format!("{} is not there:\n  {}", change_text(change), all())),
            };
        }
    }
    rows.sort();
    Ok(rows)
}
