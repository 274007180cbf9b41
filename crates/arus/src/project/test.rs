//! `arus test`: the tests of a project in virtual time, each in an engine of its own in this process.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use arus_core::clock::{Clock, SystemClock};
use arus_core::fs::Fs;
use arus_core::{Error, Result};
use arus_engine::VirtualEngine;
use arus_storage::DiskFs;

use super::test_file::{Expected, Step, StepKind, Test, comment_lines, parse};
use super::test_report::compare;
use super::{ProjectFile, files, folder_of, paths};
use crate::args::TestArgs;
use crate::output;
use crate::run::read_script;

pub(crate) fn run(args: &TestArgs) -> Result<ExitCode> {
    let folder = folder_of(&args.path)?;
    let pipelines = files(&folder, "pipelines", "sql")?;
    let clock = SystemClock::new();
    let begin = clock.monotonic_ns();
    let (mut passed, mut failed) = (0, 0);
    for path in test_paths(&folder, &args.path)? {
        let shown = path.strip_prefix(&folder).unwrap_or(&path).display().to_string();
        let text = read_script(&path)?;
        let tests = parse(&text).map_err(|e| e.in_context(&shown))?;
        let mut accepted = Accepted::default();
        for test in &tests {
            let start = clock.monotonic_ns();
            let outcome = run_test(&pipelines, test, args.accept.then_some(&mut accepted));
            let ms = (clock.monotonic_ns() - start) / 1_000_000;
            let name = if test.name.is_empty() { shown.clone() } else { format!("{shown}: {}", test.name) };
            match outcome {
                Ok(()) => {
                    passed += 1;
                    output::line(&format!("ok      {name} ({ms} ms)"));
                }
                Err(failure) => {
                    failed += 1;
                    let at = failure.line.map_or(String::new(), |line| format!(":{line}"));
                    output::line(&format!("FAILED  {name}\n  {shown}{at}: {}", failure.what));
                    failure.details.iter().for_each(|line| output::line(&format!("    {line}")));
                }
            }
        }
        if accepted.write(&path, &text)? {
            output::line(&format!("        {shown}: rows written"));
        }
    }
    let ms = (clock.monotonic_ns() - begin) / 1_000_000;
    if passed + failed == 0 {
        return Err(Error::user(format!("there are no tests in '{}'", args.path.display()))
            .with_hint("tests are files tests/*.sql of a project; docs/projects.md shows one"));
    }
    output::line(&format!("{passed} passed, {failed} failed, {ms} ms"));
    Ok(ExitCode::from(u8::from(failed > 0)))
}

/// One file, those of a folder of tests, or those of the whole project.
fn test_paths(folder: &Path, path: &Path) -> Result<Vec<PathBuf>> {
    let path = DiskFs.canonicalize(path).map_err(|e| Error::io("find", path.display(), e))?;
    if path.extension().is_some_and(|e| e == "sql") {
        return Ok(vec![path]);
    }
    if path == folder { paths(&folder.join("tests"), "sql") } else { paths(&path, "sql") }
}

struct Failure {
    line: Option<usize>,
    what: String,
    details: Vec<String>,
}

impl Failure {
    fn new(line: Option<usize>, what: impl Into<String>) -> Self {
        Failure { line, what: what.into(), details: vec![] }
    }
}

fn run_test(
    pipelines: &[ProjectFile],
    test: &Test,
    mut accepted: Option<&mut Accepted>,
) -> std::result::Result<(), Failure> {
    let mut engine = VirtualEngine::start().map_err(|e| Failure::new(None, e.to_string()))?;
    for file in pipelines {
        engine
            .apply(&file.text)
            .map_err(|e| Failure::new(None, format!("{}: {}", file.name, e.render(Some(&file.text)))))?;
    }
    engine.new_session();
    for step in &test.steps {
        run_step(&mut engine, step, &mut accepted)?;
    }
    Ok(())
}

fn run_step(
    engine: &mut VirtualEngine,
    step: &Step,
    accepted: &mut Option<&mut Accepted>,
) -> std::result::Result<(), Failure> {
    let failed = |e: Error, sql: Option<&str>| Failure::new(Some(step.line), e.render(sql));
    match &step.kind {
        StepKind::Statement(sql) => {
            engine.execute(sql).and_then(|()| engine.settle()).map_err(|e| failed(e, Some(sql)))
        }
        StepKind::Wait { ms } => engine.wait_ms(*ms).map_err(|e| failed(e, None)),
        StepKind::EndOfInput => engine.end_inputs().map_err(|e| failed(e, None)),
        StepKind::Prints(expected) => {
            let printed = engine.printed();
            let found: Vec<&str> = printed.lines().collect();
            if found == *expected {
                return Ok(());
            }
            let mut failure = Failure::new(Some(step.line), "print sinks have written other lines");
            failure.details.extend(expected.iter().map(|line| format!("- {line}")));
            failure.details.extend(found.iter().map(|line| format!("+ {line}")));
            Err(failure)
        }
        StepKind::Query { sql, expected } => {
            let mut found = engine.rows(sql).map_err(|e| failed(e, Some(sql)))?;
            if let Some(accepted) = accepted {
                found.rows.sort();
                accepted.note(step.line, sql, expected.as_ref(), comment_lines(&found));
                return Ok(());
            }
            let Some(expected) = expected else {
                return Err(Failure::new(
                    Some(step.line),
                    "a query without its rows: `arus test --accept` writes them",
                ));
            };
            let difference = compare(expected, &found).map_err(|what| Failure::new(Some(step.line), what))?;
            let Some(difference) = difference else { return Ok(()) };
            let (missing, unexpected) = (difference.missing.len(), difference.unexpected.len());
            let mut failure = Failure::new(
                Some(step.line),
                format!("{missing} rows are missing (-), {unexpected} were not expected (+)"),
            );
            failure.details = difference.lines();
            failure.details.extend(difference.trail(engine, sql));
            failure.details.extend(engine.notes().into_iter().map(|note| format!("note: {note}")));
            Err(failure)
        }
    }
}

/// Rows that are to stand in the file instead of those that do.
#[derive(Default)]
struct Accepted {
    /// The lines that go, from 0, and what comes there.
    tables: Vec<(std::ops::Range<usize>, Vec<String>)>,
}

impl Accepted {
    /// `line`: of the query, from 1.
    fn note(&mut self, line: usize, sql: &str, expected: Option<&Expected>, lines: Vec<String>) {
        let range = match expected {
            Some(expected) if !expected.by.is_empty() => return,
            Some(expected) => expected.lines.clone(),
            None => {
                let behind = line + sql.matches('\n').count();
                behind..behind
            }
        };
        if !self.tables.iter().any(|(known, _)| *known == range) {
            self.tables.push((range, lines));
        }
    }

    /// Whether the file has changed.
    fn write(mut self, path: &Path, text: &str) -> Result<bool> {
        let mut lines: Vec<String> = text.lines().map(String::from).collect();
        // From the end, so that places before stay what they are.
        self.tables.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
        for (range, table) in self.tables {
            lines.splice(range, table);
        }
        let new = lines.join("\n") + "\n";
        if new == text {
            return Ok(false);
        }
        super::write_file(path, &new)?;
        Ok(true)
    }
}
