//! Statements that are answered at the door: transactions, settings, cursors, COPY, and what is refused by name.

use arus_core::error::Code;
use arus_core::{Error, Result};

use super::lexer::{Lexer, Token};
use super::prepared::{self, Preparation};

/// A statement that is not the engine's.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(super) enum ClientStatement {
    Begin {
        tag: &'static str,
    },
    Commit,
    Rollback,
    Savepoint {
        tag: &'static str,
    },
    RollbackTo,
    /// Answered, and nothing else.
    Accepted(&'static str),
    Set {
        name: String,
        value: Option<String>,
        local: bool,
    },
    Reset(String),
    ResetAll,
    Show(String),
    ShowAll,
    DiscardAll,
    Prepare(Preparation),
    Execute {
        name: String,
        /// What stands in the parentheses.
        values: String,
    },
    /// `None`: all of them.
    Deallocate(Option<String>),
    Declare {
        name: String,
        binary: bool,
        hold: bool,
        query: String,
    },
    Fetch {
        name: String,
        rows: Rows,
        moves: bool,
    },
    /// `None`: all of them.
    Close(Option<String>),
    Copy(Copy),
}

/// How far FETCH and MOVE go.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Rows {
    Next(u64),
    All,
}

#[derive(Debug, PartialEq, Eq, Clone)]
pub(super) struct Copy {
    pub(super) query: String,
    pub(super) format: CopyFormat,
    pub(super) header: bool,
    pub(super) delimiter: char,
    pub(super) null: String,
    pub(super) quote: char,
    pub(super) escape: char,
    /// Columns in quotes whatever they hold: all, or these.
    pub(super) force_quote: Option<Vec<String>>,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum CopyFormat {
    Text,
    Csv,
    Binary,
}

type Found = Result<Option<ClientStatement>>;

/// Recognises the statement; `None`: it is for the engine.
pub(super) fn recognise(statement: &str) -> Found {
    let mut lexer = Lexer::new(statement.trim_end().trim_end_matches(';'));
    let Some(Token::Word(first)) = lexer.next() else { return Ok(None) };
    match first.to_ascii_uppercase().as_str() {
        "BEGIN" | "START" => begin(&first, &mut lexer),
        "COMMIT" => Ok(Some(ClientStatement::Commit)),
        "END" if lexer.at_end() || lexer.accept("TRANSACTION") || lexer.accept("WORK") => {
            Ok(Some(ClientStatement::Commit))
        }
        "ROLLBACK" | "ABORT" => {
            let _ = lexer.accept("TRANSACTION") || lexer.accept("WORK");
            let to = lexer.accept("TO");
            Ok(Some(if to { ClientStatement::RollbackTo } else { ClientStatement::Rollback }))
        }
        "SAVEPOINT" => Ok(Some(ClientStatement::Savepoint { tag: "SAVEPOINT" })),
        "RELEASE" => Ok(Some(ClientStatement::Savepoint { tag: "RELEASE" })),
        "SET" => set(&mut lexer),
        "RESET" => reset(&mut lexer),
        "SHOW" => show(&mut lexer),
        "DISCARD" => discard(&mut lexer),
        "DEALLOCATE" => {
            lexer.accept("PREPARE");
            let all = lexer.accept("ALL");
            let name = if all { None } else { Some(lexer.name()) };
            match name {
                Some(None) => Err(syntax("DEALLOCATE: expected ALL or the name of a prepared statement")),
                name => Ok(Some(ClientStatement::Deallocate(name.flatten()))),
            }
        }
        "PREPARE" => prepared::prepare(statement, &mut lexer).map(Some),
        "EXECUTE" => prepared::execute(&mut lexer),
        "DECLARE" => declare(&mut lexer),
        "FETCH" => fetch(&mut lexer, false),
        "MOVE" => fetch(&mut lexer, true),
        "CLOSE" => {
            let all = lexer.accept("ALL");
            Ok(Some(ClientStatement::Close(if all { None } else { lexer.name() })))
        }
        "COPY" => copy(&mut lexer).map(Some),
        // There is nothing to listen to, so that nothing is left to do.
        "UNLISTEN" => Ok(Some(ClientStatement::Accepted("UNLISTEN"))),
        "LISTEN" | "NOTIFY" => refused(&first, "follow a table by a cursor over \"<table>$changes\""),
        "LOCK" => refused(&first, "a transaction reads one epoch, which nobody changes"),
        "VACUUM" | "REINDEX" | "CLUSTER" | "CHECKPOINT" => refused(&first, "there is nothing of it to do here"),
        "GRANT" | "REVOKE" | "REASSIGN" => Ok(None),
        "DO" | "CALL" | "SECURITY" => refused(&first, "there are no procedures"),
        _ => Ok(None),
    }
}

fn refused(name: &str, hint: &str) -> Found {
    Err(Error::not_supported(format!("the statement {}", name.to_uppercase()))
        .with_code(Code::NotSupported)
        .with_hint(hint))
}

fn syntax(message: impl Into<String>) -> Error {
    Error::user(message.into()).with_code(Code::Syntax)
}

fn begin(first: &str, lexer: &mut Lexer<'_>) -> Found {
    if lexer.peek().is_some_and(|t| t.is("STATEMENT")) {
        return Ok(None);
    }
    let tag = if first.eq_ignore_ascii_case("START") { "START TRANSACTION" } else { "BEGIN" };
    Ok(Some(ClientStatement::Begin { tag }))
}

/// Flink quotes its keys, and ours have a dot: `SET 'k' = 'v'`, `SET arus.dialect = 'flink'`.
fn set(lexer: &mut Lexer<'_>) -> Found {
    let mut local = false;
    if lexer.accept("SESSION") {
        if lexer.accept("CHARACTERISTICS") {
            return Ok(Some(ClientStatement::Accepted("SET")));
        }
        if lexer.accept("AUTHORIZATION") {
            return role("SESSION AUTHORIZATION", lexer);
        }
    } else {
        local = lexer.accept("LOCAL");
    }
    let Some(Token::Word(word)) = lexer.next() else { return Ok(None) };
    let name = word.to_lowercase();
    let mut ahead = lexer.clone();
    if name == "arus" && ahead.by_ref().take(4).map(|t| t.text()).collect::<Vec<_>>() == [".", "fetch", ".", "timeout"]
    {
        let _ = ahead.peek() == Some(Token::Sign('=')) && ahead.next().is_some() || ahead.accept("TO");
        return Ok(Some(ClientStatement::Set { name: "arus.fetch.timeout".into(), value: value(&mut ahead)?, local }));
    }
    match name.as_str() {
        "transaction" | "constraints" => return Ok(Some(ClientStatement::Accepted("SET"))),
        "role" => return role("ROLE", lexer),
        "names" => {
            let value = value(lexer)?;
            return Ok(Some(ClientStatement::Set { name: "client_encoding".into(), value, local }));
        }
        "time" if lexer.accept("ZONE") => {
            let value = value(lexer)?;
            return Ok(Some(ClientStatement::Set { name: "TimeZone".into(), value, local }));
        }
        "arus" | "table" | "pipeline" | "execution" | "parallelism" | "sql" => return Ok(None),
        _ => {}
    }
    if lexer.peek() == Some(Token::Sign('.')) {
        return Ok(None);
    }
    if lexer.peek() == Some(Token::Sign('=')) {
        lexer.next();
    } else if !lexer.accept("TO") {
        return Err(syntax(format!("SET {name}: expected = or TO")));
    }
    let value = value(lexer)?;
    Ok(Some(ClientStatement::Set { name, value, local }))
}

/// There is one role so far: whoever connected.
fn role(what: &str, lexer: &mut Lexer<'_>) -> Found {
    let _ = lexer.peek() == Some(Token::Sign('=')) && lexer.next().is_some();
    match lexer.next() {
        Some(t) if t.is("NONE") || t.is("DEFAULT") => Ok(Some(ClientStatement::Accepted("SET"))),
        _ => refused(&format!("SET {what}"), "connect as that user"),
    }
}

/// The rest of the statement: a word, a literal, a list of them; `None` is DEFAULT.
fn value(lexer: &mut Lexer<'_>) -> Result<Option<String>> {
    if lexer.accept("DEFAULT") {
        return Ok(None);
    }
    let mut out = String::new();
    for token in lexer {
        match token {
            Token::Sign(',') => out.push_str(", "),
            Token::Sign(sign) => out.push(sign),
            Token::Name(name) if name.starts_with('$') => out.push_str(&format!("\"{name}\"")),
            Token::Word(text) | Token::Name(text) | Token::Text(text) | Token::Number(text) => {
                // `SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE`
                if text.eq_ignore_ascii_case("interval") {
                    continue;
                }
                if out.ends_with(|c: char| c.is_alphanumeric()) {
                    out.push(' ');
                }
                out.push_str(&text);
            }
        }
    }
    Ok(Some(out))
}

fn reset(lexer: &mut Lexer<'_>) -> Found {
    let Some(Token::Word(name)) = lexer.next() else { return Ok(None) };
    Ok(match name.to_uppercase().as_str() {
        "ALL" => Some(ClientStatement::ResetAll),
        "SESSION" | "ROLE" => Some(ClientStatement::Accepted("RESET")),
        "TIME" => Some(ClientStatement::Reset("TimeZone".into())),
        _ if lexer.at_end() => Some(ClientStatement::Reset(name)),
        _ => None,
    })
}

fn show(lexer: &mut Lexer<'_>) -> Found {
    let Some(Token::Word(name)) = lexer.next() else { return Ok(None) };
    if name.eq_ignore_ascii_case("TRANSACTION") && lexer.accept("ISOLATION") {
        return Ok(Some(ClientStatement::Show("transaction_isolation".into())));
    }
    if name.eq_ignore_ascii_case("TIME") && lexer.accept("ZONE") {
        return Ok(Some(ClientStatement::Show("TimeZone".into())));
    }
    if name.eq_ignore_ascii_case("SESSION") && lexer.accept("AUTHORIZATION") {
        return Ok(Some(ClientStatement::Show("session_authorization".into())));
    }
    if !lexer.at_end() {
        return Ok(None);
    }
    if name.eq_ignore_ascii_case("ALL") {
        return Ok(Some(ClientStatement::ShowAll));
    }
    // SHOW TABLES and its like are Flink's.
    let known = arus_core::client_settings::find(&name).is_some();
    Ok((known || name.contains('_')).then_some(ClientStatement::Show(name)))
}

fn discard(lexer: &mut Lexer<'_>) -> Found {
    let Some(Token::Word(what)) = lexer.next() else {
        return Err(syntax("DISCARD: expected ALL, PLANS, SEQUENCES or TEMP"));
    };
    Ok(Some(match what.to_uppercase().as_str() {
        "ALL" => ClientStatement::DiscardAll,
        "PLANS" => ClientStatement::Accepted("DISCARD PLANS"),
        "SEQUENCES" => ClientStatement::Accepted("DISCARD SEQUENCES"),
        "TEMP" | "TEMPORARY" => ClientStatement::Accepted("DISCARD TEMP"),
        _ => return Err(syntax("DISCARD: expected ALL, PLANS, SEQUENCES or TEMP")),
    }))
}

fn declare(lexer: &mut Lexer<'_>) -> Found {
    let name = lexer.name().ok_or_else(|| syntax("DECLARE: expected the name of a cursor"))?;
    let (mut binary, mut hold) = (false, false);
    loop {
        match lexer.next() {
            Some(t) if t.is("BINARY") => binary = true,
            Some(t) if t.is("SCROLL") => {
                return refused("DECLARE .. SCROLL", "a cursor goes forward; leave SCROLL out");
            }
            Some(t) if t.is("NO") => {
                lexer.accept("SCROLL");
            }
            Some(t) if t.is("INSENSITIVE") || t.is("ASENSITIVE") || t.is("CURSOR") => {}
            Some(t) if t.is("WITH") => hold = lexer.accept("HOLD"),
            Some(t) if t.is("WITHOUT") => {
                lexer.accept("HOLD");
            }
            Some(t) if t.is("FOR") => break,
            _ => return Err(syntax("DECLARE: expected CURSOR FOR and a query")),
        }
    }
    Ok(Some(ClientStatement::Declare { name, binary, hold, query: lexer.rest().trim().to_string() }))
}

fn fetch(lexer: &mut Lexer<'_>, moves: bool) -> Found {
    let number = |lexer: &mut Lexer<'_>| -> Result<Option<Rows>> {
        Ok(match lexer.peek() {
            Some(t) if t.is("ALL") => {
                lexer.next();
                Some(Rows::All)
            }
            Some(Token::Number(n)) => {
                lexer.next();
                Some(Rows::Next(n.parse().map_err(|_| syntax("FETCH: expected a number of rows"))?))
            }
            _ => None,
        })
    };
    let rows = match lexer.peek() {
        Some(t) if ["PRIOR", "FIRST", "LAST", "ABSOLUTE", "RELATIVE", "BACKWARD"].iter().any(|w| t.is(w)) => {
            return refused("FETCH other than forward", "a cursor goes forward");
        }
        Some(Token::Sign('-')) => return refused("FETCH other than forward", "a cursor goes forward"),
        Some(t) if t.is("NEXT") => {
            lexer.next();
            Rows::Next(1)
        }
        Some(t) if t.is("FORWARD") => {
            lexer.next();
            number(lexer)?.unwrap_or(Rows::Next(1))
        }
        _ => number(lexer)?.unwrap_or(Rows::Next(1)),
    };
    let _ = lexer.accept("FROM") || lexer.accept("IN");
    let name = lexer.name().ok_or_else(|| syntax("FETCH: expected the name of a cursor"))?;
    Ok(Some(ClientStatement::Fetch { name, rows, moves }))
}

fn copy(lexer: &mut Lexer<'_>) -> Result<ClientStatement> {
    let query = if lexer.peek() == Some(Token::Sign('(')) { parenthesised(lexer)? } else { table(lexer)? };
    if lexer.accept("FROM") {
        return Err(Error::not_supported("COPY .. FROM")
            .with_code(Code::NotSupported)
            .with_hint("send rows by INSERT, by HTTP (POST /v1/tables/<name>/rows) or by Kafka"));
    }
    if !lexer.accept("TO") {
        return Err(syntax("COPY: expected TO STDOUT"));
    }
    if !lexer.accept("STDOUT") {
        return Err(Error::not_supported("COPY to a file or program of the server")
            .with_code(Code::NotSupported)
            .with_hint("COPY .. TO STDOUT, or \\copy in psql"));
    }
    let mut copy = Copy {
        query,
        format: CopyFormat::Text,
        header: false,
        delimiter: '\0',
        null: String::new(),
        quote: '"',
        escape: '"',
        force_quote: Some(vec![]),
    };
    let mut null = None;
    lexer.accept("WITH");
    let listed = lexer.peek() == Some(Token::Sign('(')) && lexer.next().is_some();
    while let Some(token) = lexer.next() {
        match token {
            Token::Sign(',') => {}
            Token::Sign(')') if listed => break,
            Token::Word(option) => copy_option(&mut copy, &mut null, &option, lexer, listed)?,
            _ => return Err(syntax("COPY: expected an option")),
        }
    }
    let csv = copy.format == CopyFormat::Csv;
    if copy.delimiter == '\0' {
        copy.delimiter = if csv { ',' } else { '\t' };
    }
    copy.null = null.unwrap_or_else(|| if csv { String::new() } else { "\\N".into() });
    Ok(ClientStatement::Copy(copy))
}

fn copy_option(
    copy: &mut Copy,
    null: &mut Option<String>,
    option: &str,
    lexer: &mut Lexer<'_>,
    listed: bool,
) -> Result<()> {
    let text = |lexer: &mut Lexer<'_>| {
        lexer.accept("AS");
        match lexer.next() {
            Some(Token::Text(text) | Token::Word(text)) => Ok(text),
            _ => Err(syntax(format!("COPY: {option} expects a text"))),
        }
    };
    let one = |text: String| {
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) if c.is_ascii() => Ok(c),
            _ => Err(Error::user(format!("COPY: {option} must be a single one-byte character"))
                .with_code(Code::NotSupported)),
        }
    };
    match option.to_uppercase().as_str() {
        "FORMAT" => {
            let name = text(lexer)?;
            copy.format = match name.to_lowercase().as_str() {
                "text" => CopyFormat::Text,
                "csv" => CopyFormat::Csv,
                "binary" => CopyFormat::Binary,
                _ => {
                    return Err(
                        Error::user(format!("COPY format \"{name}\" not recognized")).with_code(Code::InvalidValue)
                    );
                }
            };
        }
        "CSV" => copy.format = CopyFormat::Csv,
        "BINARY" => copy.format = CopyFormat::Binary,
        "HEADER" => {
            let off = lexer.accept("FALSE") || lexer.accept("OFF");
            let _ = off || lexer.accept("TRUE") || lexer.accept("ON");
            copy.header = !off;
        }
        "DELIMITER" | "DELIMITERS" => copy.delimiter = one(text(lexer)?)?,
        "NULL" => *null = Some(text(lexer)?),
        "QUOTE" => copy.quote = one(text(lexer)?)?,
        "ESCAPE" => copy.escape = one(text(lexer)?)?,
        "ENCODING" => {
            let name = text(lexer)?;
            if !name.to_uppercase().starts_with("UTF") {
                return Err(Error::not_supported("COPY in another encoding than UTF8").with_code(Code::NotSupported));
            }
        }
        "FORCE" | "FORCE_QUOTE" => {
            lexer.accept("QUOTE");
            copy.force_quote = force_quote(lexer, listed)?;
        }
        _ => return Err(Error::user(format!("option \"{option}\" not recognized")).with_code(Code::Syntax)),
    }
    Ok(())
}

fn force_quote(lexer: &mut Lexer<'_>, listed: bool) -> Result<Option<Vec<String>>> {
    if lexer.peek() == Some(Token::Sign('*')) {
        lexer.next();
        return Ok(None);
    }
    let in_parentheses = listed && lexer.peek() == Some(Token::Sign('(')) && lexer.next().is_some();
    let mut columns = vec![];
    loop {
        columns.push(lexer.name().ok_or_else(|| syntax("COPY: FORCE_QUOTE expects columns"))?);
        if lexer.peek() != Some(Token::Sign(',')) {
            break;
        }
        lexer.next();
    }
    if in_parentheses {
        lexer.next();
    }
    Ok(Some(columns))
}

/// The query in parentheses, without them.
fn parenthesised(lexer: &mut Lexer<'_>) -> Result<String> {
    lexer.next();
    let text = lexer.rest();
    let mut depth = 1;
    loop {
        let before = text.len() - lexer.rest().len();
        match lexer.next() {
            Some(Token::Sign('(')) => depth += 1,
            Some(Token::Sign(')')) => depth -= 1,
            Some(_) => {}
            None => return Err(syntax("COPY: the query's parenthesis is not closed")),
        }
        if depth == 0 {
            return Ok(text[..before].trim().to_string());
        }
    }
}

/// `schema.table (a, b)` as a query.
fn table(lexer: &mut Lexer<'_>) -> Result<String> {
    let ident = |lexer: &mut Lexer<'_>| match lexer.next() {
        Some(Token::Word(word)) => Ok(word),
        Some(Token::Name(name)) => Ok(format!("\"{}\"", name.replace('"', "\"\""))),
        _ => Err(syntax("COPY: expected a table or a query in parentheses")),
    };
    let mut name = ident(lexer)?;
    while lexer.peek() == Some(Token::Sign('.')) {
        lexer.next();
        name = format!("{name}.{}", ident(lexer)?);
    }
    let mut columns = "*".to_string();
    if lexer.peek() == Some(Token::Sign('(')) {
        lexer.next();
        let mut listed = vec![];
        loop {
            listed.push(ident(lexer)?);
            match lexer.next() {
                Some(Token::Sign(',')) => {}
                Some(Token::Sign(')')) => break,
                _ => return Err(syntax("COPY: expected a list of columns")),
            }
        }
        columns = listed.join(", ");
    }
    Ok(format!("SELECT {columns} FROM {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<ClientStatement> {
        recognise(text).expect(text)
    }

    #[test]
    fn flinks_statements_reach_the_engine() {
        for text in [
            "SET 'table.dml-sync' = 'true'",
            "SET arus.dialect = 'flink'",
            "BEGIN STATEMENT SET;",
            "SHOW TABLES",
            "SHOW JOBS",
            "RESET 'pipeline.name'",
            "SELECT 1",
            "END_OF",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn clients_are_answered() {
        assert_eq!(found("begin;"), Some(ClientStatement::Begin { tag: "BEGIN" }));
        assert_eq!(found("START TRANSACTION READ ONLY"), Some(ClientStatement::Begin { tag: "START TRANSACTION" }));
        assert_eq!(found("ROLLBACK TO SAVEPOINT a"), Some(ClientStatement::RollbackTo));
        let set = |name: &str, value: Option<&str>, local| {
            Some(ClientStatement::Set { name: name.into(), value: value.map(Into::into), local })
        };
        assert_eq!(found("SET extra_float_digits = 3"), set("extra_float_digits", Some("3"), false));
        assert_eq!(found("set session timezone to 'Europe/Berlin'"), set("timezone", Some("Europe/Berlin"), false));
        assert_eq!(found("SET LOCAL TIME ZONE -7"), set("TimeZone", Some("-7"), true));
        assert_eq!(found("SET search_path TO \"$user\", public"), set("search_path", Some("\"$user\", public"), false));
        assert_eq!(found("SET client_encoding TO DEFAULT"), set("client_encoding", None, false));
        assert_eq!(found("show Server_Version"), Some(ClientStatement::Show("Server_Version".into())));
        assert!(recognise("LISTEN news").is_err());
    }

    #[test]
    fn cursors_and_copy_are_read() {
        let query = "select ';' from t".to_string();
        let declared = ClientStatement::Declare { name: "C 1".into(), binary: false, hold: true, query };
        assert_eq!(found("DECLARE \"C 1\" NO SCROLL CURSOR WITH HOLD FOR select ';' from t"), Some(declared));
        let fetched = |rows| Some(ClientStatement::Fetch { name: "c".into(), rows, moves: false });
        assert_eq!(found("FETCH FORWARD 10 FROM c"), fetched(Rows::Next(10)));
        assert_eq!(found("fetch all in C"), fetched(Rows::All));
        assert!(recognise("FETCH BACKWARD 1 FROM c").is_err());
        let Some(ClientStatement::Copy(copy)) =
            found("COPY (select ')' from t) TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE (a, b))")
        else {
            panic!("a copy")
        };
        assert_eq!((copy.query.as_str(), copy.format, copy.header), ("select ')' from t", CopyFormat::Csv, true));
        assert_eq!((copy.delimiter, copy.force_quote), (',', Some(vec!["a".into(), "b".into()])));
        let Some(ClientStatement::Copy(copy)) = found("COPY public.\"T\" (a, b) TO STDOUT WITH DELIMITER '|' NULL 'x'")
        else {
            panic!("a copy")
        };
        assert_eq!(
            (copy.query.as_str(), copy.delimiter, copy.null.as_str()),
            ("SELECT a, b FROM public.\"T\"", '|', "x")
        );
        assert!(recognise("COPY t FROM STDIN").is_err());
    }
}
