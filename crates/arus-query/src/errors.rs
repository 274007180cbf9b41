//! DataFusion's errors as ours: who must act, in our words, with the place in the statement.

use arus_core::error::Code;
use arus_core::{Error, ErrorKind, Location};
use datafusion::error::DataFusionError;

/// `Expected: an expression, found: FROM at Line: 1, Column: 8`
pub(crate) fn syntax_error(message: &str, sql: &str) -> Error {
    let message = message.trim_start_matches("sql parser error: ");
    let error = |text: String| Error::user(text).with_code(Code::Syntax);
    let Some((what, place)) = message.rsplit_once(" at Line: ") else { return error(message.into()) };
    let Some(at) = place.split_once(", Column: ").and_then(|(line, column)| offset(sql, line, column)) else {
        return error(what.into());
    };
    let Some((expected, found)) = what.split_once(", found: ") else { return error(what.into()) };
    let expected = expected.trim_start_matches("Expected: ");
    let near = if found == "EOF" {
        "syntax error at end of input".into()
    } else {
        format!("syntax error at or near \"{found}\"")
    };
    error(near).with_hint(format!("expected {expected}")).with_location(location(sql, at, found.len()))
}

/// The byte at which a character of a line stands; both count from 1.
fn offset(sql: &str, line: &str, column: &str) -> Option<usize> {
    let (line, column): (usize, usize) = (line.trim().parse().ok()?, column.trim().parse().ok()?);
    let start: usize = sql.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let within = sql[start..].char_indices().nth(column.checked_sub(1)?).map_or(sql.len() - start, |(at, _)| at);
    Some(start + within)
}

/// DataFusion's errors by who must act.
pub(crate) fn plan_error(error: DataFusionError) -> Error {
    let root = match error.find_root() {
        DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
            Some(ours) => return copy(ours),
            None => error.strip_backtrace(),
        },
        DataFusionError::SQL(e, _) => return syntax_error(&e.to_string(), ""),
        DataFusionError::ResourcesExhausted(text) => {
            return Error::new(ErrorKind::Exhausted, text.clone()).with_hint("raise --memory or read fewer rows");
        }
        root => root.strip_backtrace(),
    };
    let text = root.lines().next().unwrap_or_default().to_string();
    let text = ["Error during planning: ", "Schema error: ", "Execution error: ", "Arrow error: "]
        .iter()
        .fold(text, |t, prefix| t.replace(prefix, ""));
    if let Some(error) = unknown_column(&text) {
        return error;
    }
    if let Some(name) = quoted_after(&text, "Invalid function ") {
        return Error::user(format!("function {name} does not exist")).with_code(Code::UndefinedFunction);
    }
    if let Some(value) = quoted_after(&text, "Cannot cast string ") {
        let ty = text.rsplit(" of ").next().unwrap_or_default().trim_end_matches(" type");
        let message = format!("invalid input syntax for type {}: \"{value}\"", type_name(ty));
        return Error::user(message).with_code(Code::InvalidText);
    }
    let (text, code) = if text.contains("table '") && text.contains("not found") {
        (text.replace("arus.public.", "").replace(" not found", " does not exist"), Code::UndefinedTable)
    } else if text.to_lowercase().contains("divide by zero") {
        ("division by zero".into(), Code::DivisionByZero)
    } else if text.to_lowercase().contains("ambiguous") {
        (text, Code::AmbiguousColumn)
    } else if text.contains("must be part of GROUP BY") || text.contains("must appear in the GROUP BY") {
        (text, Code::Grouping)
    } else {
        (text, Code::Other)
    };
    Error::user(text).with_code(code)
}

/// The text in quotes behind a beginning.
fn quoted_after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.strip_prefix(start)?.strip_prefix('\'')?.split('\'').next()
}

fn type_name(arrow: &str) -> &'static str {
    match arrow {
        "Int16" => "smallint",
        "Int32" => "integer",
        "Int64" => "bigint",
        "Float32" => "real",
        "Float64" => "double precision",
        "Boolean" => "boolean",
        "Date32" => "date",
        ty if ty.starts_with("Decimal") => "numeric",
        ty if ty.starts_with("Timestamp") => "timestamp",
        ty if ty.starts_with("Interval") => "interval",
        _ => "text",
    }
}

fn copy(error: &Error) -> Error {
    let copied = Error::new(error.kind(), error.message()).with_code(error.code());
    match error.hint() {
        Some(hint) => copied.with_hint(hint),
        None => copied,
    }
}

/// `No field named nam. Did you mean 't.name'?` and `No field named nam. Valid fields are t.id, t.name.`
fn unknown_column(text: &str) -> Option<Error> {
    let rest = text.strip_prefix("No field named ")?;
    let (name, near) = rest.split_once(". ").unwrap_or((rest.trim_end_matches('.'), ""));
    let error =
        Error::user(format!("column '{}' does not exist", name.replace('"', ""))).with_code(Code::UndefinedColumn);
    Some(match (near.strip_prefix("Did you mean "), near.strip_prefix("Valid fields are ")) {
        (Some(near), _) => error.with_hint(format!("did you mean {near}")),
        (_, Some(columns)) => error.with_hint(format!("columns: {}", columns.trim_end_matches('.'))),
        _ => error,
    })
}

/// Points at the name that an error speaks of, where the statement has it.
pub(crate) fn point_at(error: Error, sql: &str) -> Error {
    let points = matches!(error.code(), Code::UndefinedColumn | Code::UndefinedTable | Code::UndefinedFunction);
    if !points || error.location().is_some() {
        return error;
    }
    let quoted = error.message().split('\'').nth(1).or_else(|| error.message().split(' ').nth(1));
    let name = quoted.and_then(|n| n.rsplit('.').next()).map(str::to_string);
    match name.and_then(|name| find_word(sql, &name).map(|at| (at, name.len()))) {
        Some((at, length)) => error.with_location(location(sql, at, length)),
        None => error,
    }
}

fn find_word(sql: &str, word: &str) -> Option<usize> {
    let part_of_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    sql.match_indices(word).map(|(at, _)| at).find(|at| {
        let in_string = sql[..*at].matches('\'').count() % 2 == 1;
        !in_string
            && !part_of_name(sql[..*at].chars().next_back())
            && !part_of_name(sql[*at + word.len()..].chars().next())
    })
}

fn location(sql: &str, at: usize, length: usize) -> Location {
    let before = &sql[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Location { line: line as u32, column: column as u32, offset: at as u32, length: length.max(1) as u32 }
}
