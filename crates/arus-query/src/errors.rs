//! DataFusion's errors as ours: who must act, in our words, with the place in the statement.

use arus_core::error::Code;
use arus_core::{Error, ErrorKind, Location};
use datafusion::error::DataFusionError;

pub(crate) fn syntax_error(message: &str) -> Error {
    let message = message.trim_start_matches("sql parser error: ");
    Error::user(message.to_string()).with_code(Code::Syntax)
}

/// DataFusion's errors by who must act.
pub(crate) fn plan_error(error: DataFusionError) -> Error {
    let root = match error.find_root() {
        DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
            Some(ours) => return copy(ours),
            None => error.strip_backtrace(),
        },
        DataFusionError::SQL(e, _) => return syntax_error(&e.to_string()),
        DataFusionError::ResourcesExhausted(text) => {
            return Error::new(ErrorKind::Exhausted, text.clone()).with_hint("raise --memory or read fewer rows");
        }
        _ => error.strip_backtrace(),
    };
    let text = root.lines().next().unwrap_or_default().to_string();
    let text = ["Error during planning: ", "Schema error: ", "Execution error: ", "Arrow error: "]
        .iter()
        .fold(text, |t, prefix| t.replace(prefix, ""));
    if let Some(error) = unknown_column(&text) {
        return error;
    }
    let code = if text.contains("table '") && text.contains("not found") {
        Code::UndefinedTable
    } else if text.starts_with("Invalid function") {
        Code::UndefinedFunction
    } else {
        Code::Other
    };
    Error::user(text.replace("arus.public.", "").replace(" not found", " does not exist")).with_code(code)
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
    if error.code() != Code::UndefinedColumn || error.location().is_some() {
        return error;
    }
    let name = error.message().split('\'').nth(1).and_then(|n| n.rsplit('.').next()).map(str::to_string);
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
