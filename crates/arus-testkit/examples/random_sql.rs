//! Random cases as scripts for `conformance/run --random`, which gives them to a real Flink and to Arus.
//!
//! `random_sql SEED COUNT DIR` writes DIR/scripts/SEED.sql and its inputs below DIR/data, for COUNT seeds from SEED on.
//! What files cannot say, such as upserts, is left out: the seeds go on until there are as many scripts.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a program that writes scripts")]

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use arus_core::clock::SystemClock;
use arus_core::{RowKind, TypeKind};
use arus_expr::{ConstantEvaluator, Functions};
use arus_testkit::generate::{Case, Table, case};
use arus_testkit::reference::{Change, Value};
use arus_testkit::world::World;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().ok_or("expected SEED COUNT DIR");
    let (mut seed, count, folder) = (next()?.parse::<u64>()?, next()?.parse::<usize>()?, next()?);
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder.join("scripts"))?;
    std::fs::create_dir_all(folder.join("data"))?;
    let mut written = 0;
    while written < count {
        let evaluator = ConstantEvaluator::new(Arc::new(SystemClock::new()), "UTC", seed);
        let mut world = World::new(&Functions, &evaluator);
        if let Ok(case) = case(seed, &mut world)
            && world.plan(&case.sql).is_ok()
            && !case.tables.iter().any(|t| t.ddl.contains("'upserts'"))
        {
            write(seed, &case, folder)?;
            println!("{seed}");
            written += 1;
        }
        seed += 1;
    }
    Ok(())
}

fn write(seed: u64, case: &Case, folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut script = format!("-- Seed {seed}.\n\nSET 'arus.exec.error-policy' = 'fail';\n");
    for table in &case.tables {
        let file = format!("data/{seed}-{}.json", table.name);
        let files = format!("'connector' = 'filesystem', 'path' = '{file}'");
        let ddl = table
            .ddl
            .replace("'connector' = 'testkit'", &files)
            .replace("'format' = 'rows'", "'format' = 'json'")
            .replace("'format' = 'changes'", "'format' = 'debezium-json'");
        writeln!(script, "{ddl};")?;
        let lines = if table.appended { rows(table)? } else { changes(table)? };
        std::fs::write(folder.join(file), lines)?;
    }
    writeln!(script, "{};", case.sql)?;
    std::fs::write(folder.join(format!("scripts/{seed}.sql")), script)?;
    Ok(())
}

fn rows(table: &Table) -> Result<String, Box<dyn Error>> {
    let lines = table.changes.iter().map(|change| Ok(row(table, change)? + "\n"));
    lines.collect()
}

/// -U and the +U behind it are one record.
fn changes(table: &Table) -> Result<String, Box<dyn Error>> {
    let mut out = String::new();
    let mut before = "null".to_string();
    for change in &table.changes {
        let row = row(table, change)?;
        let (old, new, op) = match change.kind {
            RowKind::UpdateBefore => {
                before = row;
                continue;
            }
            RowKind::Insert => ("null".to_string(), row, 'c'),
            RowKind::UpdateAfter => (std::mem::replace(&mut before, "null".into()), row, 'u'),
            RowKind::Delete => (row, "null".to_string(), 'd'),
        };
        writeln!(out, "{{\"before\":{old},\"after\":{new},\"op\":\"{op}\"}}")?;
    }
    Ok(out)
}

fn row(table: &Table, change: &Change) -> Result<String, Box<dyn Error>> {
    let fields: Vec<String> = table
        .columns
        .iter()
        .zip(&change.values)
        .map(|((name, kind), value)| Ok(format!("\"{name}\":{}", json(kind, value)?)))
        .collect::<Result<_, Box<dyn Error>>>()?;
    Ok(format!("{{{}}}", fields.join(",")))
}

fn json(kind: &TypeKind, value: &Value) -> Result<String, Box<dyn Error>> {
    Ok(match value {
        Value::Null => "null".into(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Double(value) => format!("{value:?}"),
        Value::Decimal(digits) => {
            let TypeKind::Decimal { scale, .. } = kind else { return Err("a decimal of another type".into()) };
            let mut text = String::new();
            arus_core::text::write_decimal(&mut text, *digits, *scale);
            text
        }
        Value::String(text) => {
            let mut out = String::new();
            arus_expr::push_json_text(&mut out, text);
            out
        }
        // The inputs are all of the first day.
        Value::Timestamp(ms) => {
            let (s, ms) = (ms / 1_000, ms % 1_000);
            format!("\"1970-01-01 {:02}:{:02}:{:02}.{ms:03}\"", s / 3_600, s / 60 % 60, s % 60)
        }
        other => return Err(format!("no table holds {other:?}").into()),
    })
}
