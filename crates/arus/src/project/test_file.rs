//! A test of SQL: a file of SQL whose comments say what is expected.
//!
//! Statements run in order; what a query gives is compared with the table in the comment behind it. Comments alone on their line:
//! `-- test: NAME` begins a test of its own (what stands before the first belongs to each), `-- wait 10 s` moves the clock,
//! `-- end of input` says that no more rows come, `-- by a, b` before a table compares only the rows with its keys,
//! `-- prints` before lines `-- +I[..]` compares what print sinks have written. Any other comment is for the reader.

use arus_core::settings::Settings;
use arus_core::{Error, Result};
use arus_engine::TextRows;
use arus_sql::parser::split_script;

#[derive(Debug, Default)]
pub(crate) struct Test {
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// In the file, from 1.
    pub(crate) line: usize,
    pub(crate) kind: StepKind,
}

#[derive(Debug, Clone)]
pub(crate) enum StepKind {
    Statement(String),
    Query {
        sql: String,
        expected: Option<Expected>,
    },
    Wait {
        ms: i64,
    },
    EndOfInput,
    /// What print sinks have written since the last look.
    Prints(Vec<String>),
}

#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) rows: TextRows,
    /// Rows are told apart by these columns, and other keys may have any rows.
    pub(crate) by: Vec<String>,
    /// The lines of the file that it takes, from 0; an empty range where it would stand.
    pub(crate) lines: std::ops::Range<usize>,
}

/// The tests of a file.
pub(crate) fn parse(text: &str) -> Result<Vec<Test>> {
    let mut reader = Reader { first: None, tests: vec![Test::default()], by: vec![], prints: false };
    let mut end = 0;
    for span in split_script(text) {
        let (from, to) = (span.start as usize, span.end as usize);
        let statement = reader.comments(text, from..to)?;
        reader.statement(text, statement..to);
        end = to;
    }
    let rest = text.len() - text[end..].trim_start_matches(|c: char| c.is_whitespace() || c == ';').len();
    reader.comments(text, rest..text.len())?;
    let mut tests = reader.tests;
    let shared = tests.remove(0);
    if tests.is_empty() {
        return Ok(vec![shared]);
    }
    for test in &mut tests {
        test.steps.splice(0..0, shared.steps.iter().cloned());
    }
    Ok(tests)
}

struct Reader {
    /// The first comment, which says what the file is about.
    first: Option<String>,
    tests: Vec<Test>,
    by: Vec<String>,
    prints: bool,
}

impl Reader {
    fn step(&mut self, line: usize, kind: StepKind) {
        if let Some(test) = self.tests.last_mut() {
            test.steps.push(Step { line, kind });
        }
    }

    /// Reads the comments at the beginning of a range; where they end.
    fn comments(&mut self, text: &str, range: std::ops::Range<usize>) -> Result<usize> {
        let mut at = range.start;
        while at < range.end {
            let rest = &text[at..range.end];
            let line = rest.split_once('\n').map_or(rest, |(line, _)| line);
            let trimmed = line.trim();
            if !trimmed.is_empty() && !trimmed.starts_with("--") {
                break;
            }
            if let Some(comment) = trimmed.strip_prefix("--") {
                // A comment that stands behind something is no line of its own.
                let alone = text[..at].rsplit('\n').next().is_none_or(|before| before.trim().is_empty());
                if alone {
                    self.comment(comment.trim(), text[..at].matches('\n').count())?;
                }
            }
            at += (line.len() + 1).min(rest.len());
        }
        Ok(at.min(range.end))
    }

    /// `line` counts from 0.
    fn comment(&mut self, comment: &str, line: usize) -> Result<()> {
        let wrong = |what: String, hint: &str| Err(Error::user(format!("line {}: {what}", line + 1)).with_hint(hint));
        if let Some(cells) = comment.strip_prefix('|') {
            return self.table_line(cells, line);
        }
        if let Some(row) =
            Some(comment).filter(|c| self.prints && ["+I", "-U", "+U", "-D"].iter().any(|k| c.contains(k)))
        {
            if let Some(StepKind::Prints(lines)) = self.last() {
                lines.push(row.into());
            }
            return Ok(());
        }
        let lower = comment.to_ascii_lowercase();
        if let Some(name) = lower.strip_prefix("test:") {
            let name = comment[comment.len() - name.len()..].trim().to_string();
            self.tests.push(Test { name, steps: vec![] });
        } else if let Some(time) = lower.strip_prefix("wait ") {
            let mut settings = Settings::default();
            settings.set("time", time.trim());
            match settings.duration_ms("time") {
                Ok(ms) => self.step(line + 1, StepKind::Wait { ms }),
                Err(_) => return wrong(format!("expected a time, found '{}'", time.trim()), "-- wait 10 s"),
            }
        } else if lower == "end of input" {
            self.step(line + 1, StepKind::EndOfInput);
        } else if let Some(columns) = lower.strip_prefix("by ") {
            let columns = &comment[comment.len() - columns.len()..];
            if matches!(self.last(), Some(StepKind::Query { expected: None, .. })) {
                self.by = columns.split(',').map(|c| c.trim().to_string()).collect();
            }
        } else if lower == "prints" {
            self.step(line + 1, StepKind::Prints(vec![]));
            self.prints = true;
            return Ok(());
        } else if self.first.is_none() && !comment.is_empty() {
            self.first = Some(comment.into());
            if let Some(test) = self.tests.first_mut() {
                test.name = comment.trim_end_matches('.').into();
            }
        }
        self.prints = false;
        Ok(())
    }

    fn last(&mut self) -> Option<&mut StepKind> {
        self.tests.last_mut()?.steps.last_mut().map(|step| &mut step.kind)
    }

    fn table_line(&mut self, cells: &str, line: usize) -> Result<()> {
        let cells: Vec<String> = cells.trim_end_matches('|').split('|').map(|cell| cell.trim().to_string()).collect();
        let by = std::mem::take(&mut self.by);
        let Some(StepKind::Query { expected, .. }) = self.last() else {
            return Err(Error::user(format!("line {}: rows without a query before them", line + 1))
                .with_hint("SELECT ..; then its rows, as `-- | a | b |` and a line for each row"));
        };
        let Some(table) = expected else {
            let rows = TextRows { columns: cells, rows: vec![] };
            *expected = Some(Expected { rows, by, lines: line..line + 1 });
            return Ok(());
        };
        table.lines.end = line + 1;
        let is_rule = cells.iter().all(|c| !c.is_empty() && c.chars().all(|c| c == '-' || c == ':'));
        if is_rule && table.rows.rows.is_empty() && table.lines.len() == 2 {
            return Ok(());
        }
        if cells.len() != table.rows.columns.len() {
            let (expected, found) = (table.rows.columns.len(), cells.len());
            return Err(Error::user(format!("line {}: expected {expected} cells, found {found}", line + 1)));
        }
        table.rows.rows.push(cells);
        Ok(())
    }

    fn statement(&mut self, text: &str, range: std::ops::Range<usize>) {
        let sql = text[range.clone()].trim_start().to_string();
        if sql.is_empty() {
            return;
        }
        let line = text[..range.end - sql.len()].matches('\n').count() + 1;
        self.by.clear();
        self.prints = false;
        let word: String = sql.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_ascii_uppercase();
        let is_query = sql.starts_with('(') || ["SELECT", "WITH", "VALUES"].contains(&word.as_str());
        let kind = if is_query { StepKind::Query { sql, expected: None } } else { StepKind::Statement(sql) };
        self.step(line, kind);
    }
}

/// A table as comments: what `--accept` writes.
pub(crate) fn comment_lines(rows: &TextRows) -> Vec<String> {
    table_lines(rows).into_iter().map(|line| format!("-- {line}")).collect()
}

/// The head, then a line for each row, in columns.
pub(crate) fn table_lines(rows: &TextRows) -> Vec<String> {
    use unicode_width::UnicodeWidthStr;
    let all = || std::iter::once(&rows.columns).chain(&rows.rows);
    let width = |i: usize| all().filter_map(|r| r.get(i)).map(|c| c.width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows.columns.len()).map(width).collect();
    all()
        .map(|row| {
            let cell = |(i, c): (usize, &String)| {
                let space = " ".repeat(widths.get(i).copied().unwrap_or(0).saturating_sub(c.width()));
                format!("{c}{space}")
            };
            format!("| {} |", row.iter().enumerate().map(cell).collect::<Vec<_>>().join(" | "))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_statements_and_what_is_expected() {
        let text = "-- What it is.\nINSERT INTO t VALUES (1); -- | no | table |\n-- wait 5 s\n\nSELECT a,\n b FROM t;\n-- by a\n\
                    -- | a | b    |\n-- |---|------|\n-- | 1 | NULL |\n-- end of input\n-- prints\n-- x> +I[1]\n";
        let tests = parse(text).unwrap();
        assert_eq!(tests.len(), 1);
        assert_eq!(tests[0].name, "What it is");
        let kinds: Vec<_> = tests[0].steps.iter().map(|s| (s.line, &s.kind)).collect();
        assert!(matches!(kinds[0], (2, StepKind::Statement(_))), "{kinds:?}");
        assert!(matches!(kinds[1], (3, StepKind::Wait { ms: 5000 })), "{kinds:?}");
        let (5, StepKind::Query { expected: Some(expected), .. }) = kinds[2] else { panic!("{kinds:?}") };
        assert_eq!(expected.rows.rows, [["1", "NULL"]]);
        assert_eq!((expected.by.as_slice(), expected.lines.clone()), (&["a".to_string()][..], 7..10));
        assert!(matches!(kinds[3], (11, StepKind::EndOfInput)), "{kinds:?}");
        assert!(matches!(&kinds[4].1, StepKind::Prints(lines) if lines.len() == 1), "{kinds:?}");
    }

    #[test]
    fn what_stands_before_the_first_test_belongs_to_each() {
        let text =
            "-- All of it\nINSERT INTO t VALUES (1);\n-- test: one\nSELECT 1;\n-- | a |\n-- test: Two\nSELECT 2;\n";
        let tests = parse(text).unwrap();
        let names: Vec<_> = tests.iter().map(|t| (t.name.as_str(), t.steps.len())).collect();
        assert_eq!(names, [("one", 2), ("Two", 2)]);
        assert!(parse("-- | a |\n").is_err());
    }
}
