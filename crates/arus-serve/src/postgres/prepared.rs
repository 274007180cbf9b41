//! Statements that are prepared by SQL: PREPARE keeps a text with the types of its parameters, EXECUTE binds values to it.
//! Nothing is substituted: the values go to the engine as those of the extended protocol do.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arus_core::error::{Code, Location};
use arus_core::platform::{Param, Session, StatementOutput};
use arus_core::{Error, ErrorKind, Result};
use futures::TryStreamExt;
use pgwire::api::Type;

use super::lexer::{Lexer, Token};
use super::statement::ClientStatement;
use super::value::{self, Style};
use super::{params, types};

/// Statements of a connection.
const PREPARED: usize = 1000;

/// What may be prepared.
const KINDS: [&str; 7] = ["SELECT", "INSERT", "UPDATE", "DELETE", "VALUES", "WITH", "TABLE"];

#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) query: String,
    pub(super) schema: Option<SchemaRef>,
    /// As they are declared; `None`: the statement decides.
    declared: Vec<Option<Type>>,
    params: usize,
}

#[derive(Default)]
pub(super) struct PreparedStatements(HashMap<String, Prepared>);

impl PreparedStatements {
    pub(super) fn get(&self, name: &str) -> Result<&Prepared> {
        self.0.get(name).ok_or_else(|| unknown(name))
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether there was one of this name.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// PREPARE: the statement is planned, so that what is wrong with it is said now.
    pub(super) async fn add(&mut self, session: &mut dyn Session, new: Preparation) -> Result<()> {
        let Preparation { name, types, query, offset } = new;
        if self.0.contains_key(&name) {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(Error::user(message).with_code(Code::DuplicateStatement));
        }
        if self.0.len() >= PREPARED {
            let message = format!("expected at most {PREPARED} prepared statements");
            return Err(Error::new(ErrorKind::Exhausted, message).with_hint("DEALLOCATE some"));
        }
        let declared = declared(session, &types).await?;
        let said: Vec<_> = declared.iter().map(|ty| params::declared(ty.as_ref(), None)).collect();
        let shape = session.describe(&query, &said).await.map_err(|e| moved(e, offset))?;
        let params = shape.params.len().max(declared.len());
        self.0.insert(name, Prepared { query, schema: shape.schema, declared, params });
        Ok(())
    }

    /// The text of EXECUTE's statement, and its values.
    pub(super) async fn bind(
        &self,
        session: &mut dyn Session,
        name: &str,
        values: &str,
        style: &Style,
    ) -> Result<(String, Vec<Param>)> {
        let prepared = self.get(name)?;
        let texts = texts(session, values, style).await?;
        if texts.len() != prepared.params {
            let (expected, found) = (prepared.params, texts.len());
            let message = format!(
                "wrong number of parameters for prepared statement \"{name}\": expected {expected}, found {found}"
            );
            return Err(Error::user(message).with_code(Code::Syntax));
        }
        let typed = texts.into_iter().enumerate().map(|(i, text)| {
            let ty = prepared.declared.get(i).cloned().flatten();
            let ty = params::declared(ty.as_ref(), text.as_deref());
            Param { text, ty }
        });
        Ok((prepared.query.clone(), typed.collect()))
    }
}

/// `PREPARE name (types) AS query`
#[derive(Debug, PartialEq, Eq, Clone)]
pub(super) struct Preparation {
    pub(super) name: String,
    pub(super) types: Vec<String>,
    pub(super) query: String,
    /// Where the query begins, in bytes: errors have a place in it.
    pub(super) offset: usize,
}

pub(super) fn unknown(name: &str) -> Error {
    Error::user(format!("prepared statement \"{name}\" does not exist")).with_code(Code::UndefinedStatement)
}

fn syntax(message: &str) -> Error {
    Error::user(message).with_code(Code::Syntax)
}

/// Reads what stands behind PREPARE.
pub(super) fn prepare(statement: &str, lexer: &mut Lexer<'_>) -> Result<ClientStatement> {
    let name = lexer.name().ok_or_else(|| syntax("PREPARE: expected the name of a statement"))?;
    let mut types = vec![];
    if lexer.peek() == Some(Token::Sign('(')) {
        types = parts(lexer)?.into_iter().map(str::to_string).collect();
    }
    if !lexer.accept("AS") {
        return Err(syntax("PREPARE: expected AS and a statement"));
    }
    if !lexer.peek().is_some_and(|token| KINDS.iter().any(|kind| token.is(kind)) || token == Token::Sign('(')) {
        return Err(syntax("PREPARE: expected SELECT, INSERT, UPDATE, DELETE or VALUES"));
    }
    let query = lexer.rest();
    let offset = query.as_ptr() as usize - statement.as_ptr() as usize;
    Ok(ClientStatement::Prepare(Preparation { name, types, query: query.to_string(), offset }))
}

/// Reads what stands behind EXECUTE; `None`: it is Flink's `EXECUTE STATEMENT SET` or `EXECUTE INSERT ..`.
pub(super) fn execute(lexer: &mut Lexer<'_>) -> Result<Option<ClientStatement>> {
    let flinks = ["STATEMENT", "PLAN", "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "VALUES"];
    if lexer.peek().is_some_and(|token| flinks.iter().any(|word| token.is(word))) {
        return Ok(None);
    }
    let name = lexer.name().ok_or_else(|| syntax("EXECUTE: expected the name of a prepared statement"))?;
    let mut values = String::new();
    if lexer.peek() == Some(Token::Sign('(')) {
        let text = lexer.rest().trim_start();
        parts(lexer)?;
        let read = text.len() - lexer.rest().len();
        values = text[1..read - 1].trim().to_string();
    }
    if !lexer.at_end() {
        return Err(syntax("EXECUTE: expected nothing behind the values"));
    }
    Ok(Some(ClientStatement::Execute { name, values }))
}

/// What stands between commas, up to the parenthesis that closes the one that comes next.
fn parts<'a>(lexer: &mut Lexer<'a>) -> Result<Vec<&'a str>> {
    lexer.next();
    let mut found = vec![];
    let mut text = lexer.rest();
    let mut depth = 0;
    loop {
        let before = text.len() - lexer.rest().len();
        let token = lexer.next().ok_or_else(|| syntax("a parenthesis is not closed"))?;
        match token {
            Token::Sign('(' | '[') => depth += 1,
            Token::Sign(')') if depth == 0 => {
                found.push(text[..before].trim());
                break;
            }
            Token::Sign(')' | ']') => depth -= 1,
            Token::Sign(',') if depth == 0 => {
                found.push(text[..before].trim());
                text = lexer.rest();
            }
            _ => {}
        }
    }
    if found.iter().any(|part| part.is_empty()) && found.len() > 1 {
        return Err(syntax("expected something between two commas"));
    }
    found.retain(|part| !part.is_empty());
    Ok(found)
}

/// The types by the names that a user gives them: the reader of SQL knows them all.
async fn declared(session: &mut dyn Session, names: &[String]) -> Result<Vec<Option<Type>>> {
    let mut types = Vec::with_capacity(names.len());
    for name in names {
        if name.eq_ignore_ascii_case("unknown") {
            types.push(None);
            continue;
        }
        let shape = session.describe(&format!("SELECT CAST(NULL AS {name}) AS v"), &[]).await;
        let unknown = || Error::user(format!("type \"{name}\" does not exist")).with_code(Code::UndefinedObject);
        let schema = shape.ok().and_then(|shape| shape.schema).filter(|schema| schema.fields().len() == 1);
        types.push(Some(types::of_field(schema.ok_or_else(unknown)?.field(0))));
    }
    Ok(types)
}

/// The values as text: literals as they are, anything else is asked of the engine. `None` is NULL.
async fn texts(session: &mut dyn Session, values: &str, style: &Style) -> Result<Vec<Option<String>>> {
    let closed = format!("({values})");
    let parts = parts(&mut Lexer::new(&closed))?;
    if parts.is_empty() {
        return Ok(vec![]);
    }
    if let Some(literals) = parts.iter().map(|part| literal(part)).collect() {
        return Ok(literals);
    }
    let list: Vec<_> = parts.iter().map(|part| format!("({part})")).collect();
    let StatementOutput::Rows(rows) = session.execute(&format!("SELECT {}", list.join(", ")), &[]).await? else {
        return Err(Error::bug("a query without rows"));
    };
    let batches: Vec<RecordBatch> = rows.batches.try_collect().await?;
    let batch = batches.iter().find(|batch| batch.num_rows() == 1);
    let batch = batch.ok_or_else(|| syntax("EXECUTE: expected one value for each parameter"))?;
    let fields = rows.schema.fields().iter();
    let text = |(array, field): (&_, &std::sync::Arc<arrow::datatypes::Field>)| {
        let mut out = String::new();
        value::write_text(&mut out, array, 0, &types::of_field(field), style).then_some(out)
    };
    Ok(batch.columns().iter().zip(fields).map(text).collect())
}

/// The text of a literal (`None` inside: NULL); `None`: it is something else.
fn literal(text: &str) -> Option<Option<String>> {
    let mut lexer = Lexer::new(text);
    let mut sign = "";
    let mut token = lexer.next()?;
    if token == Token::Sign('-') {
        sign = "-";
        token = lexer.next()?;
    }
    if !lexer.at_end() {
        return None;
    }
    match token {
        Token::Number(number) => Some(Some(format!("{sign}{number}"))),
        _ if !sign.is_empty() => None,
        Token::Text(text) => Some(Some(text)),
        token if token.is("NULL") => Some(None),
        token if token.is("TRUE") || token.is("FALSE") => Some(Some(token.text().to_lowercase())),
        _ => None,
    }
}

/// A place in the prepared statement as one in the PREPARE around it.
fn moved(error: Error, by: usize) -> Error {
    match error.location() {
        Some(at) => error.with_location(Location { offset: at.offset + by as u32, ..at }),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_at_their_commas() {
        let cut = |text: &'static str| parts(&mut Lexer::new(text));
        assert_eq!(cut("(1, 'a,b', f(2, 3), array[1, 2])").expect("closed"), ["1", "'a,b'", "f(2, 3)", "array[1, 2]"]);
        assert!(cut("()").expect("closed").is_empty());
        assert!(cut("(1,)").is_err() && cut("(1").is_err());
    }

    #[test]
    fn literals_need_nobody() {
        assert_eq!(literal("- 1.5"), Some(Some("-1.5".into())));
        assert_eq!(literal("'it''s'"), Some(Some("it's".into())));
        assert_eq!(literal("null"), Some(None));
        assert_eq!(literal("1 + 1"), None);
        assert_eq!(literal("date '2024-01-01'"), None);
    }
}
