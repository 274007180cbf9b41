//! What Postgres clients send about their session, and what has no meaning here: accepted, so that they connect.

/// A statement that is answered without the engine.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ClientStatement {
    Begin,
    Commit,
    Rollback,
    /// `SET name = value` and the like.
    Accepted(&'static str),
    /// `SHOW name` with its value.
    Show(&'static str, String),
}

/// Recognises the statement; `None`: it is for the engine.
pub(super) fn recognise(statement: &str) -> Option<ClientStatement> {
    let text = statement.trim().trim_end_matches(';').trim();
    let words: Vec<String> = text.split_whitespace().take(4).map(str::to_ascii_uppercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["BEGIN" | "START", "STATEMENT", ..] => None,
        ["BEGIN"] | ["BEGIN", "TRANSACTION" | "WORK" | "ISOLATION" | "READ", ..] | ["START", "TRANSACTION", ..] => {
            Some(ClientStatement::Begin)
        }
        ["COMMIT", ..] | ["END"] | ["END", "TRANSACTION" | "WORK"] => Some(ClientStatement::Commit),
        ["ROLLBACK", ..] | ["ABORT", ..] => Some(ClientStatement::Rollback),
        ["DISCARD", _] => Some(ClientStatement::Accepted("DISCARD ALL")),
        ["DEALLOCATE", ..] => Some(ClientStatement::Accepted("DEALLOCATE")),
        ["SET", "SESSION" | "LOCAL" | "TRANSACTION", ..] => Some(ClientStatement::Accepted("SET")),
        // Flink quotes its keys, and ours have a dot: `SET 'k' = 'v'`.
        ["SET", name, ..] if !name.starts_with('\'') && !name.contains('.') => Some(ClientStatement::Accepted("SET")),
        ["SHOW", "TRANSACTION", "ISOLATION", "LEVEL"] => show("transaction_isolation"),
        ["SHOW", "TIME", "ZONE"] => show("timezone"),
        ["SHOW", name] => show(&name.to_ascii_lowercase()),
        _ => None,
    }
}

fn show(name: &str) -> Option<ClientStatement> {
    let (name, value) = SHOWN.iter().find(|(n, _)| *n == name)?;
    Some(ClientStatement::Show(name, (*value).into()))
}

const SHOWN: &[(&str, &str)] = &[
    ("client_encoding", "UTF8"),
    ("datestyle", "ISO, MDY"),
    ("default_transaction_isolation", "repeatable read"),
    ("integer_datetimes", "on"),
    ("intervalstyle", "postgres"),
    ("max_identifier_length", "63"),
    ("search_path", "\"$user\", public"),
    ("server_encoding", "UTF8"),
    ("server_version", super::SERVER_VERSION),
    ("server_version_num", "150000"),
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "0"),
    ("timezone", "UTC"),
    ("transaction_isolation", "repeatable read"),
    ("transaction_read_only", "off"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flinks_statements_reach_the_engine() {
        for text in [
            "SET 'table.dml-sync' = 'true'",
            "SET arus.dialect = 'flink'",
            "BEGIN STATEMENT SET;",
            "SHOW TABLES",
            "SHOW JOBS",
            "SELECT 1",
            "END_OF",
        ] {
            assert_eq!(recognise(text), None, "{text}");
        }
    }

    #[test]
    fn clients_are_answered() {
        assert_eq!(recognise("begin;"), Some(ClientStatement::Begin));
        assert_eq!(recognise("START TRANSACTION READ ONLY"), Some(ClientStatement::Begin));
        assert_eq!(recognise("SET extra_float_digits = 3"), Some(ClientStatement::Accepted("SET")));
        assert_eq!(
            recognise("show Server_Version"),
            Some(ClientStatement::Show("server_version", "15.0 (Arus)".into()))
        );
    }
}
