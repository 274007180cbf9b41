//! What helps a person who types SQL: the classes of its tokens, and what may come next. One source for every editor.

use std::ops::Range;

use arus_core::catalog::{CatalogObject, ConnectorCatalog, ObjectPath};
use arus_core::platform::{Suggestion, Suggestions};
use arus_core::settings::KEYS;

use crate::lexer::{Lexer, TokenKind, is_reserved};
use crate::planner::Planner;

/// Beyond it a list helps nobody.
const SUGGESTIONS_MAX: usize = 60;

/// What the parts of a text look like in an editor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenClass {
    Keyword,
    /// A name with a parenthesis behind it.
    Function,
    Name,
    String,
    Number,
    Comment,
    Other,
}

/// The words that open statements and clauses, for completion; those of the reserved ones that nobody starts to type are left out.
const KEYWORDS: &[&str] = &[
    "ADD",
    "ALTER",
    "AND",
    "AS",
    "ASC",
    "BEGIN STATEMENT SET",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "CREATE DATABASE",
    "CREATE MATERIALIZED TABLE",
    "CREATE TABLE",
    "CREATE VIEW",
    "CROSS JOIN",
    "CUBE",
    "CUMULATE",
    "DESC",
    "DESCRIBE",
    "DESCRIPTOR",
    "DISTINCT",
    "DROP MATERIALIZED TABLE",
    "DROP TABLE",
    "DROP VIEW",
    "ELSE",
    "END",
    "EXCEPT",
    "EXECUTE STATEMENT SET",
    "EXPLAIN",
    "EXPLAIN ANALYZE",
    "EXPLAIN CHANGELOG_MODE",
    "EXPLAIN WHY",
    "FALSE",
    "FILTER",
    "FROM",
    "GROUP BY",
    "GROUPING SETS",
    "HAVING",
    "HOP",
    "IN",
    "INSERT INTO",
    "INTERSECT",
    "INTERVAL",
    "IS NOT NULL",
    "IS NULL",
    "JOIN",
    "LIKE",
    "LIMIT",
    "NOT",
    "NOT ENFORCED",
    "NULL",
    "ON",
    "OR",
    "ORDER BY",
    "PARTITION BY",
    "PRIMARY KEY",
    "RESET",
    "ROLLUP",
    "SELECT",
    "SESSION",
    "SET",
    "SHOW CREATE TABLE",
    "SHOW DATABASES",
    "SHOW FUNCTIONS",
    "SHOW JOBS",
    "SHOW TABLES",
    "SHOW VIEWS",
    "STOP JOB",
    "TABLE",
    "THEN",
    "TRUE",
    "TRY_CAST",
    "TUMBLE",
    "UNION ALL",
    "UNNEST",
    "USE",
    "VALUES",
    "WATERMARK FOR",
    "WHEN",
    "WHERE",
    "WITH",
];

/// Words after which a table or view is named.
const BEFORE_RELATION: &[&str] = &["FROM", "JOIN", "INTO", "TABLE", "VIEW", "DESCRIBE", "WHY", "UPDATE", "ANALYZE"];
/// Words that begin another clause, in which a comma no longer separates relations.
const CLAUSES: &[&str] = &["SELECT", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "ON", "SET", "WITH", "VALUES", "BY"];

/// The classes of everything in `text` but white space, in order.
pub fn classify(text: &str) -> Vec<(Range<usize>, TokenClass)> {
    let mut lexer = Lexer::new(text);
    let mut found: Vec<(Range<usize>, TokenClass)> = vec![];
    let mut end = 0;
    loop {
        match lexer.next_token() {
            Ok(token) => {
                let (start, stop) = (token.span.start as usize, token.span.end as usize);
                if !text[end..start].trim().is_empty() {
                    found.push((end..start, TokenClass::Comment));
                }
                if token.kind == TokenKind::End {
                    break;
                }
                if token.kind == TokenKind::LParen
                    && let Some((range, class @ TokenClass::Name)) = found.last_mut()
                    && range.end == start
                {
                    *class = TokenClass::Function;
                }
                found.push((start..stop, class_of(token.kind, &text[start..stop])));
                end = stop;
            }
            Err(error) if error.unfinished => {
                let rest = text[end..].trim_start();
                let class = match rest.bytes().next() {
                    Some(b'/') => TokenClass::Comment,
                    Some(b'`') => TokenClass::Name,
                    _ => TokenClass::String,
                };
                found.push((text.len() - rest.len()..text.len(), class));
                break;
            }
            Err(_) => lexer.skip_char(),
        }
    }
    found
}

fn class_of(kind: TokenKind, text: &str) -> TokenClass {
    match kind {
        TokenKind::Word if is_reserved(text) => TokenClass::Keyword,
        TokenKind::Word if KEYWORDS.iter().any(|k| k.split(' ').any(|w| w.eq_ignore_ascii_case(text))) => {
            TokenClass::Keyword
        }
        TokenKind::Word | TokenKind::BackQuoted => TokenClass::Name,
        TokenKind::Integer | TokenKind::Decimal | TokenKind::Approximate => TokenClass::Number,
        TokenKind::String | TokenKind::UnicodeString | TokenKind::EscapedString | TokenKind::BinaryString => {
            TokenClass::String
        }
        _ => TokenClass::Other,
    }
}

/// What may be typed at the end of `before`; `after` is what stands behind the cursor.
pub fn suggest(planner: &Planner<'_>, before: &str, after: &str) -> Suggestions {
    let tokens = classify(before);
    if let Some((range, TokenClass::String)) = tokens.last()
        && range.end == before.len()
        && (range.len() == 1 || !before.ends_with('\''))
    {
        let (before, typed) = before.split_at(range.start);
        return Typing { planner, before, after, tokens: &tokens[..tokens.len() - 1] }.in_string(&typed[1..]);
    }
    let word = before.rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$'))).map_or(0, |at| {
        let last = before[at..].chars().next().map_or(1, char::len_utf8);
        if before[at..].starts_with('`') { at } else { at + last }
    });
    let finished = tokens.iter().filter(|(range, _)| range.end <= word).count();
    let (before, typed) = before.split_at(word);
    Typing { planner, before, after, tokens: &tokens[..finished] }.word(typed)
}

struct Typing<'a> {
    planner: &'a Planner<'a>,
    /// The text before the word that is being typed.
    before: &'a str,
    after: &'a str,
    /// Those that stand before the word that is being typed.
    tokens: &'a [(Range<usize>, TokenClass)],
}

impl Typing<'_> {
    fn text(&self, back: usize) -> &str {
        let token = self.tokens.len().checked_sub(back + 1).and_then(|i| self.tokens.get(i));
        token.map_or("", |(range, _)| &self.before[range.clone()])
    }

    fn is(&self, back: usize, words: &[&str]) -> bool {
        words.iter().any(|w| w.eq_ignore_ascii_case(self.text(back)))
    }

    /// The word that began the clause.
    fn clause(&self) -> &str {
        let words = self.tokens.iter().rev().map(|(range, _)| &self.before[range.clone()]);
        words.into_iter().find(|w| CLAUSES.iter().any(|c| c.eq_ignore_ascii_case(w))).unwrap_or("")
    }

    fn in_string(&self, typed: &str) -> Suggestions {
        let found = if self.is(0, &["SET", "RESET"]) {
            KEYS.iter().map(|k| suggestion(k.name, "setting", k.default)).collect()
        } else if self.is(0, &["="]) && self.text(1) == "'connector'" {
            let names = self.planner.connectors.connector_names();
            names.into_iter().map(|name| suggestion(name, "option", "")).collect()
        } else if self.is(0, &["="]) && self.text(1).ends_with("format'") {
            self.planner.connectors.format_names().into_iter().map(|name| suggestion(name, "option", "")).collect()
        } else if self.clause().eq_ignore_ascii_case("WITH") {
            self.options(self.planner.connectors)
        } else {
            vec![]
        };
        ranked(typed, found)
    }

    /// The options of the connector that the text names, else `'connector'` itself.
    fn options(&self, connectors: &dyn ConnectorCatalog) -> Vec<Suggestion> {
        let whole = format!("{}{}", self.before, self.after);
        let named = connectors.connector_names().into_iter().find(|name| whole.contains(&format!("'{name}'")));
        let mut found = vec![suggestion("connector", "option", "what the table stands for; without it Arus keeps it")];
        for option in named.and_then(|name| connectors.connector(name)).map(|c| c.options()).unwrap_or_default() {
            found.push(suggestion(option.name, "option", option.about));
        }
        found
    }

    fn word(&self, typed: &str) -> Suggestions {
        let mut found = vec![];
        if self.is(0, &["."]) {
            found.extend(self.members(self.text(1)));
            return ranked(typed, found);
        }
        let list = self.is(0, &[","]) && self.clause().eq_ignore_ascii_case("FROM");
        if self.is(0, BEFORE_RELATION) || list || (self.is(0, &["("]) && self.is(1, &["TABLE"])) {
            found.extend(self.relations());
            return ranked(typed, found);
        }
        if !self.tokens.is_empty() {
            for object in self.mentioned().into_iter().map(|(_, object)| object) {
                found.extend(columns(&object));
            }
            if !typed.is_empty() {
                found.extend(self.functions(typed));
                found.extend(self.relations());
            }
        }
        found.extend(KEYWORDS.iter().map(|k| suggestion(&cased(k, typed), "keyword", "")));
        ranked(typed, found)
    }

    fn functions(&self, typed: &str) -> Vec<Suggestion> {
        let catalog = self.planner.functions;
        let names = catalog.names().into_iter().filter_map(|name| Some((name, catalog.signature(name)?)));
        // Operators are written otherwise than by their name.
        let called = names.filter(|(name, signature)| signature.starts_with(name));
        called.map(|(name, signature)| suggestion(&cased(name, typed), "function", signature)).collect()
    }

    fn relations(&self) -> Vec<Suggestion> {
        let catalog = self.planner.catalog;
        let mut found = vec![];
        for database in catalog.databases() {
            let here = database == self.planner.current_database;
            for object in catalog.objects(&database) {
                let name = quoted(&object.path().name);
                let text = if here { name } else { format!("{}.{name}", quoted(&database)) };
                found.push(suggestion(&text, "table", kind_of(&object)));
            }
        }
        found.sort_by_key(|s| s.text.contains('.'));
        found
    }

    /// Columns of a relation or alias, tables of a database.
    fn members(&self, owner: &str) -> Vec<Suggestion> {
        let owner = owner.trim_matches('`');
        let mentioned = self.mentioned();
        if let Some((_, object)) = mentioned.iter().find(|(name, _)| name == owner) {
            return columns(object);
        }
        let objects = self.planner.catalog.objects(owner);
        objects.iter().map(|o| suggestion(&quoted(&o.path().name), "table", kind_of(o))).collect()
    }

    /// The relations that the statement names, by their names and aliases.
    fn mentioned(&self) -> Vec<(String, CatalogObject)> {
        let statement = format!("{} {}", self.before, self.after);
        let tokens = classify(&statement);
        let word = |i: usize| tokens.get(i).map_or("", |(range, _)| statement[range.clone()].trim_matches('`'));
        let mut found: Vec<(String, CatalogObject)> = vec![];
        for (i, (_, class)) in tokens.iter().enumerate() {
            if *class != TokenClass::Name {
                continue;
            }
            let database = if word(i + 1) == "." { word(i) } else { self.planner.current_database };
            let name_at = if word(i + 1) == "." { i + 2 } else { i };
            let path = ObjectPath::new(database, word(name_at));
            let Some(object) = self.planner.catalog.object(&path) else { continue };
            let next = if word(name_at + 1).eq_ignore_ascii_case("AS") { name_at + 2 } else { name_at + 1 };
            if tokens.get(next).is_some_and(|(_, class)| *class == TokenClass::Name) {
                found.push((word(next).to_string(), object.clone()));
            }
            if !found.iter().any(|(name, _)| name == word(name_at)) {
                found.push((word(name_at).to_string(), object));
            }
        }
        found
    }
}

fn kind_of(object: &CatalogObject) -> &'static str {
    match object {
        CatalogObject::View(_) => "view",
        CatalogObject::Table(table) if table.query.is_some() => "materialized table",
        CatalogObject::Table(_) => "table",
    }
}

fn columns(object: &CatalogObject) -> Vec<Suggestion> {
    match object {
        CatalogObject::Table(table) => {
            table.columns.iter().map(|c| suggestion(&quoted(&c.name), "column", &c.ty.to_string())).collect()
        }
        CatalogObject::View(view) => {
            view.columns.columns().iter().map(|c| suggestion(&quoted(&c.name), "column", &c.ty.to_string())).collect()
        }
    }
}

fn suggestion(text: &str, kind: &'static str, detail: &str) -> Suggestion {
    Suggestion { text: text.to_string(), kind, detail: detail.to_string() }
}

/// In small letters when that is how the word was begun.
fn cased(word: &str, typed: &str) -> String {
    let small = !typed.is_empty() && !typed.contains(|c: char| c.is_uppercase());
    if small { word.to_ascii_lowercase() } else { word.to_string() }
}

fn quoted(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && !is_reserved(name);
    if plain { name.to_string() } else { format!("`{}`", name.replace('`', "``")) }
}

/// Those that begin as the word does, without regard to case; each once, in their order.
fn ranked(typed: &str, found: Vec<Suggestion>) -> Suggestions {
    let begun = typed.trim_start_matches('`').to_lowercase();
    let mut seen = std::collections::HashSet::new();
    let suggestions = found
        .into_iter()
        .filter(|s| s.text.trim_start_matches('`').to_lowercase().starts_with(&begun))
        .filter(|s| seen.insert((s.text.clone(), s.kind)))
        .take(SUGGESTIONS_MAX)
        .collect();
    Suggestions { replace: typed.chars().count(), suggestions }
}
