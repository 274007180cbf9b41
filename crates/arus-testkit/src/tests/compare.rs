//! One case: planned, run in several ways, compared, and made smaller when it differs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use arus_core::expr::Expr;
use arus_core::plan::{ChangelogMode, Op, PhysicalPlan, WindowKind};
use arus_core::rng::Rng;
use arus_core::settings::CHANGELOG_COMPACTION;
use arus_core::{Datum, RowKind, RowSchema, TypeKind};
use arus_expr::{ConstantEvaluator, Functions};

use super::run::{Mode, run};
use crate::generate::{Case, case};
use arus_stream::ErrorPolicy;

use crate::reference::{Answer, Change, Inputs, Stop, Value, answer, row_text, same_rows};
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
    /// INSERT INTO a table with the query's key as its primary key, which takes no -U.
    Upserts,
}

/// What one way of running a case has to say.
struct Ways<'a> {
    seed: u64,
    case: &'a Case,
    plans: Vec<(Target, PhysicalPlan)>,
    modes: Vec<Mode>,
    /// The primary key of the sink of upserts.
    key: Vec<usize>,
}

pub(super) fn check(seed: u64) -> Outcome {
    let evaluator = ConstantEvaluator::new(Arc::new(arus_core::clock::SystemClock::new()), "UTC", 1);
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
    let mut key = vec![];
    for target in [Target::Collect, Target::Compacted, Target::Steps, Target::Upserts] {
        if target == Target::Upserts && key.is_empty() {
            continue;
        }
        match plan(&mut world, &case.sql, &rel.schema, target, &key) {
            Ok(plan) => plans.push((target, plan)),
            Err(e) => return Outcome::Skipped(general("not planned", &e.to_string())),
        }
        if target == Target::Collect {
            let keys = plans[0].1.nodes.last().map(|sink| sink.upsert_keys.clone()).unwrap_or_default();
            // As in Flink the start alone counts as a key of CUMULATE windows, of which several have it.
            key = if case.sql.contains("CUMULATE") { vec![] } else { keys.into_iter().next().unwrap_or_default() };
        }
    }
    // As in Flink the plan then has the one row of an aggregate without keys, which an input of no rows alone has not.
    let nothing = |e: &Expr| matches!(e, Expr::Literal { value: Datum::Null | Datum::BigInt(0), .. });
    let is_known = |op: &Op| matches!(op, Op::Values(values) if values.rows.iter().flatten().all(nothing));
    if plans[0].1.nodes.iter().any(|node| is_known(&node.op)) {
        return Outcome::Skipped("an input that is known to be empty".into());
    }
    let mut rng = Rng::seeded(seed ^ 0x5EED);
    let mut modes = vec![Mode::row_by_row(), Mode::random(&mut rng), Mode::spread(&mut rng)];
    modes.extend([Mode::whole(), Mode::random(&mut rng), Mode::spread(&mut rng)]);
    let ways = Ways { seed, case: &case, plans, modes, key };
    let expected = |inputs: &Inputs| answer(&rel, inputs);
    let inputs = case.inputs();
    let answer = match expected(&inputs) {
        Ok(answer) => answer,
        Err(Stop::Unsupported(what)) => return Outcome::Skipped(general("unknown to the reference", &what)),
        Err(Stop::Row(reason)) => return Outcome::Different(format!("seed {seed}: a failure got out: {reason}")),
    };
    if ways.difference(&inputs, &answer).is_none() {
        let operators = ways.plans[0].1.nodes.iter().map(|n| n.op.name()).collect::<std::collections::BTreeSet<_>>();
        return Outcome::Same { operators: operators.into_iter().collect(), rows: answer.rows.len() };
    }
    let smallest = ways.shrink(inputs, |inputs| expected(inputs).ok());
    match expected(&smallest) {
        Ok(answer) => Outcome::Different(ways.report(&smallest, &answer)),
        Err(stop) => Outcome::Different(format!("seed {seed}: {stop:?}")),
    }
}

/// Whether an operator keeps rows until the watermark passes them.
fn waits_for_time(plan: &PhysicalPlan) -> bool {
    plan.nodes.iter().any(|node| match &node.op {
        Op::WindowAggregate(_) | Op::TemporalSort(_) => true,
        Op::WindowTableFunction(window) => matches!(window.kind, WindowKind::Session { .. }),
        _ => false,
    })
}

/// Reasons without names and numbers, so that they can be counted.
fn general(kind: &str, reason: &str) -> String {
    let reason: String = reason.lines().next().unwrap_or_default().chars().take(60).collect();
    format!("{kind}: {reason}")
}

fn plan(
    world: &mut World<'_>,
    sql: &str,
    schema: &RowSchema,
    target: Target,
    key: &[usize],
) -> arus_core::Result<PhysicalPlan> {
    if target == Target::Collect {
        return world.plan(sql);
    }
    let name = |i: usize| format!("`{}`", schema.columns()[i].name);
    let mut columns: Vec<String> = schema
        .types()
        .enumerate()
        .map(|(i, ty)| match &ty.kind {
            // The type of '', which no table has.
            TypeKind::Char(0) | TypeKind::Varchar(0) => format!("{} STRING", name(i)),
            _ => format!("{} {}", name(i), ty.clone().without_time_attribute().kind),
        })
        .collect();
    let mut format = "changes";
    if target == Target::Upserts {
        let key: Vec<String> = key.iter().map(|k| name(*k)).collect();
        columns.push(format!("PRIMARY KEY ({}) NOT ENFORCED", key.join(", ")));
        format = "upserts";
    }
    world.create(&format!(
        "CREATE TABLE {target:?} ({}) WITH ('connector' = 'testkit', 'format' = '{format}')",
        columns.join(", ")
    ))?;
    let compaction = if target == Target::Steps { "off" } else { "batch" };
    world.settings.set(CHANGELOG_COMPACTION, compaction);
    world.plan(&format!("INSERT INTO {target:?} {sql}"))
}

impl Ways<'_> {
    /// The first way whose result is another one, and what it gave.
    fn difference(&self, inputs: &Inputs, expected: &Answer) -> Option<String> {
        for (target, plan) in &self.plans {
            // A row that fails cannot replace the one of its key, which stays.
            if *target == Target::Upserts && expected.failed {
                continue;
            }
            // Where no row fails none may be set aside. (A value that is replaced later may have failed.)
            let updates = plan.nodes.iter().any(|n| !n.mode.is_insert_only());
            let fails = expected.failed || updates || *target == Target::Upserts;
            let policy = if fails { ErrorPolicy::Quarantine } else { ErrorPolicy::Fail };
            let mode_of_edge = plan.nodes[plan.sinks().next()?.0].mode;
            // Each mode for the steps, for a compacted changelog those that differ most.
            let modes = if *target == Target::Collect { &self.modes[..4] } else { &self.modes[3..] };
            for mode in modes {
                // Which rows are late depends on how tasks take turns.
                if mode.is_spread() && waits_for_time(plan) && !self.in_time(inputs) {
                    continue;
                }
                let way = format!("{target:?}, {mode:?}");
                let (key, expected) = match target {
                    // A NULL is no key: its row is set aside.
                    Target::Upserts => (Some(&self.key[..]), self.with_keys(&expected.rows)),
                    _ => (None, texts(&expected.rows)),
                };
                let found = match run(plan, inputs, mode, policy) {
                    Ok(changes) => match materialized(&changes, mode_of_edge, key) {
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

    /// Whether no row is behind the watermark of its table, nor what it takes the place of.
    fn in_time(&self, inputs: &Inputs) -> bool {
        self.case.tables.iter().all(|table| {
            let Some(time) = &table.time else { return true };
            let column = table.columns.iter().position(|(name, _)| name == time).expect("the time column");
            let delay = table.ddl.split_once("ts - INTERVAL '").and_then(|(_, rest)| rest.split_once('\''));
            let delay_ms = 1_000 * delay.expect("a watermark").0.parse::<i64>().expect("seconds");
            let key =
                table.ddl.contains("PRIMARY KEY (k)").then(|| table.columns.iter().position(|(name, _)| name == "k"));
            let (mut highest, mut of_key) = (i64::MIN, BTreeMap::new());
            inputs[&table.name].iter().all(|change| {
                let Value::Timestamp(time) = &change.values[column] else { return true };
                let key = key.flatten().map(|key| format!("{:?}", change.values[key]));
                let replaced = key.and_then(|key| of_key.insert(key, *time)).unwrap_or(*time);
                let in_time = highest == i64::MIN || replaced.min(*time) > highest - delay_ms;
                highest = highest.max(*time);
                in_time
            })
        })
    }

    fn with_keys(&self, rows: &[Vec<Value>]) -> Vec<String> {
        let keyed: Vec<Vec<Value>> =
            rows.iter().filter(|row| !self.key.iter().any(|k| row[*k].is_null())).cloned().collect();
        texts(&keyed)
    }

    /// Leaves out rows as long as the result stays wrong.
    fn shrink(&self, inputs: Inputs, expected: impl Fn(&Inputs) -> Option<Answer>) -> Inputs {
        let wrong = |inputs: &Inputs| expected(inputs).is_some_and(|answer| self.difference(inputs, &answer).is_some());
        let mut smallest = inputs;
        for chunk in [16, 4, 1, 1] {
            for name in smallest.keys().cloned().collect::<Vec<_>>() {
                let mut at = 0;
                while at < smallest[&name].len() {
                    let mut smaller = smallest.clone();
                    let rows = smaller.get_mut(&name).expect("a table");
                    rows.drain(at..rows.len().min(at + chunk));
                    if consistent(&smaller[&name]) && wrong(&smaller) {
                        smallest = smaller;
                    } else {
                        at += chunk;
                    }
                }
            }
        }
        smallest
    }

    fn report(&self, inputs: &Inputs, expected: &Answer) -> String {
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
        let _ = writeln!(text, "expected:\n  {}", texts(&expected.rows).join("\n  "));
        let _ = write!(text, "{}", self.difference(inputs, expected).unwrap_or_default());
        text
    }
}

/// Rows as text, sorted.
fn texts(rows: &[Vec<Value>]) -> Vec<String> {
    let mut texts: Vec<String> = rows.iter().map(|row| row_text(row)).collect();
    texts.sort();
    texts
}

/// Whether every change takes back a row that is there.
fn consistent(changes: &[Change]) -> bool {
    let mut rows: Vec<&[Value]> = vec![];
    changes.iter().all(|change| {
        if change.kind.adds() {
            rows.push(&change.values);
            return true;
        }
        let place = rows.iter().position(|row| same_rows(row, &change.values));
        place.map(|at| rows.swap_remove(at)).is_some()
    })
}

fn change_text(change: &Change) -> String {
    format!("{}[{}]", change.kind.short(), row_text(&change.values))
}

/// The rows that a changelog leaves, sorted; an error where it takes back what is not there, or has a kind that its edge
/// does not declare. With a key a row replaces the one of its key.
fn materialized(changes: &[Change], mode: ChangelogMode, key: Option<&[usize]>) -> Result<Vec<String>, String> {
    let all = || changes.iter().map(change_text).collect::<Vec<_>>().join("\n  ");
    let mut rows: Vec<Vec<Value>> = vec![];
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
        let same = |row: &Vec<Value>| match key {
            Some(key) => key.iter().all(|k| row[*k].same(&change.values[*k])),
            None => row_text(row) == row_text(&change.values),
        };
        let place = rows.iter().position(same);
        match (change.kind.adds(), place) {
            (true, Some(at)) if key.is_some() => rows[at] = change.values.clone(),
            (true, _) => rows.push(change.values.clone()),
            (false, Some(at)) => {
                rows.swap_remove(at);
            }
            (false, None) => return Err(format!("{} is not there:\n  {}", change_text(change), all())),
        }
    }
    Ok(texts(&rows))
}
